// Upload of models: files that were chosen or dropped go one after the other, each as the raw body of a PUT to
// `<address><file name>`. The server answers with JSON: {name, url, existed, warnings}, or {message} that says why not.

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const part = (element, name) => element.querySelector(`[data-${name}]`);
const running = new Set();

function wire(zone) {
  const queue = [];
  const add = (files) => {
    queue.push(...[...files].map((file) => ({ file, row: addRow(zone, file) })));
    sendNext(zone, queue);
  };
  const input = part(zone, "input");
  input.addEventListener("change", () => { add(input.files); input.value = ""; });
  part(zone, "choose").addEventListener("click", () => input.click());
  wireDrop(part(zone, "drop"), add);
}

function wireDrop(drop, add) {
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.dataset.over = ""; });
  drop.addEventListener("dragleave", (event) => { if (!drop.contains(event.relatedTarget)) delete drop.dataset.over; });
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    delete drop.dataset.over;
    add(event.dataTransfer.files);
  });
}

function addRow(zone, file) {
  const row = part(zone, "row").content.firstElementChild.cloneNode(true);
  part(row, "name").textContent = file.name;
  row.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
  part(row, "cancel").addEventListener("click", () => { row.request ? row.request.abort() : end(row, "Cancelled"); });
  part(zone, "queue").append(row);
  return row;
}

function sendNext(zone, queue) {
  if (zone.busy || !zone.isConnected) return;
  const next = queue.shift();
  if (!next) return;
  if (next.row.ended || refusedHere(zone, next)) {
    sendNext(zone, queue);
    return;
  }
  zone.busy = true;
  send(zone, next, () => { zone.busy = false; sendNext(zone, queue); });
}

// What the server would refuse too, said before gigabytes are on their way.
function refusedHere(zone, { file, row }) {
  if (!file.name.endsWith(".tar.gz")) fail(row, "A model is a file whose name ends with .tar.gz.");
  else if (file.size > Number(zone.dataset.limit)) fail(row, `The file is larger than the limit of ${zone.dataset.limitText}.`);
  return row.ended;
}

function send(zone, { file, row }, done) {
  const request = new XMLHttpRequest();
  request.open("PUT", zone.dataset.modelUpload + encodeURIComponent(file.name));
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => showProgress(row, event));
  request.addEventListener("load", () => finish(row, request));
  request.addEventListener("error", () => fail(row, "The connection broke before the file had arrived. Nothing was kept; try again."));
  request.addEventListener("abort", () => end(row, "Cancelled"));
  request.addEventListener("loadend", () => { running.delete(request); done(); });
  row.request = request;
  running.add(request);
  request.send(file);
}

function showProgress(row, event) {
  const bar = row.querySelector("progress");
  const arrived = event.loaded === event.total;
  const percent = event.total ? Math.floor((event.loaded / event.total) * 100) : 0;
  if (arrived) bar.removeAttribute("value"); // the server looks into the archive now
  else bar.value = percent;
  part(row, "state").textContent = arrived ? "Checking…" : `${percent} %`;
}

function finish(row, request) {
  const answer = request.response ?? {};
  if (request.status >= 300 || !answer.url) {
    fail(row, answer.message ?? `The server refused the file (${request.status}).`);
    return;
  }
  end(row, answer.existed ? "Already there" : "Added", "good");
  const link = part(row, "open");
  link.href = answer.url;
  link.hidden = false;
  link.setAttribute("aria-label", `Open ${answer.name}`);
  const warning = part(row, "warning");
  warning.hidden = answer.warnings.length === 0;
  warning.lastElementChild.textContent = answer.warnings.join(" ");
}

function fail(row, sentence) {
  end(row, "Refused", "bad");
  const error = part(row, "error");
  error.hidden = false;
  error.lastElementChild.textContent = sentence;
}

function end(row, state, look) {
  row.ended = true;
  row.querySelector("progress").hidden = true;
  part(row, "cancel").hidden = true;
  part(row, "state").textContent = state;
  if (look) part(row, "state").classList.add(look);
}

function wireAll() {
  for (const zone of document.querySelectorAll("[data-model-upload]:not([data-wired])")) {
    zone.dataset.wired = "";
    wire(zone);
  }
}

wireAll();
document.addEventListener("htmx:afterSettle", wireAll);
document.getElementById("dialog")?.addEventListener("close", () => running.forEach((request) => request.abort()));
addEventListener("beforeunload", (event) => { if (running.size) event.preventDefault(); });
