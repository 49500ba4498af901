// A drop zone: <div class="drop" data-upload="/address" data-field="name">. The file goes as the raw body of a PUT to
// `address?name=<file name>`, so that the server can stream it. It answers with JSON: {"url": …} to go there,
// or {"message": …} that says why not.

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];

function upload(zone, file) {
  const request = new XMLHttpRequest();
  const address = new URL(zone.dataset.upload, location.href);
  address.searchParams.set(zone.dataset.field ?? "name", file.name);
  request.open("PUT", address);
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => showProgress(zone, file, event));
  request.addEventListener("load", () => finish(zone, request));
  request.addEventListener("error", () => fail(zone, "The connection broke before the file had arrived. Nothing was kept; try again."));
  request.addEventListener("abort", () => reset(zone));
  part(zone, "cancel")?.addEventListener("click", () => request.abort(), { once: true });
  begin(zone);
  request.send(file);
}

const part = (zone, name) => zone.querySelector(`[data-upload-${name}]`);
const percent = (event) => Math.floor((event.loaded / event.total) * 100);

function begin(zone) {
  part(zone, "idle").hidden = true;
  part(zone, "busy").hidden = false;
  part(zone, "error").hidden = true;
}

function reset(zone) {
  part(zone, "idle").hidden = false;
  part(zone, "busy").hidden = true;
  part(zone, "input").value = "";
}

function showProgress(zone, file, event) {
  const bar = zone.querySelector("progress");
  const arrived = event.loaded === event.total;
  if (arrived) bar.removeAttribute("value"); // the server is checking it now
  else bar.value = percent(event);
  part(zone, "text").textContent = arrived ? `Checking ${file.name}` : `Uploading ${file.name}`;
  part(zone, "percent").textContent = arrived ? "" : `${percent(event)} %`;
}

function finish(zone, request) {
  const answer = request.response ?? {};
  if (request.status < 300 && answer.url) location.assign(answer.url);
  else fail(zone, answer.message ?? `The server refused the file (${request.status}).`);
}

function fail(zone, sentence) {
  reset(zone);
  const error = part(zone, "error");
  error.hidden = false;
  error.querySelector("span").textContent = sentence;
}

function wire(zone) {
  const input = part(zone, "input");
  input.addEventListener("change", () => { if (input.files[0]) upload(zone, input.files[0]); });
  part(zone, "choose").addEventListener("click", () => input.click());
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.dataset.over = ""; });
  zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget)) delete zone.dataset.over; });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    delete zone.dataset.over;
    const file = event.dataTransfer.files[0];
    if (file && !part(zone, "idle").hidden) upload(zone, file);
  });
}

function wireAll() {
  for (const zone of document.querySelectorAll(".drop[data-upload]:not([data-wired])")) {
    zone.dataset.wired = "";
    wire(zone);
  }
}

wireAll();
document.addEventListener("htmx:afterSettle", wireAll);
