// Side by side: one message to two targets. Each side has its own conversation and its own line of messages, so that a
// slow or failing one holds nobody. What they understood, did or said differently is marked once both have answered.

const root = document.querySelector("[data-compare]");
const log = root.querySelector("[data-log]");
const form = root.querySelector("[data-composer]");
const box = form.elements.text;
const token = form.elements.csrfmiddlewaretoken.value;
const WAKING = 180_000; // ms
const LOST = "The connection to this page's server was lost.";
const sides = [...root.querySelectorAll("[data-side-of]")].map((element) => ({
  name: element.dataset.sideOf, say: element.dataset.sayUrl, why: element.dataset.whyUrl, line: Promise.resolve(), after: "0.0",
}));
for (const side of sides) side.after = [...log.querySelectorAll(`[data-side=${side.name}] .decision`)].at(-1)?.dataset.place ?? "0.0";

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (text) {
    box.value = "";
    sayToBoth(text, text);
  }
  box.focus();
});

box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return box.blur();
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

for (const select of root.querySelectorAll(".compare-sides select")) select.addEventListener("change", () => select.form.requestSubmit());

log.addEventListener("click", (event) => {
  const button = event.target.closest("[data-payload]");
  if (button) return sayToBoth(button.dataset.payload, button.textContent);
  const again = event.target.closest("[data-again-here]");
  if (again) {
    const side = sides.find((one) => one.name === again.closest("[data-side]").dataset.side);
    queue(side, again.closest("[data-row]"), again.dataset.againHere, again.dataset.nonce);
  }
});

function sayToBoth(text, shown) {
  root.querySelector("[data-hint]")?.remove();
  const row = root.querySelector("template[data-row-of]").content.firstElementChild.cloneNode(true);
  row.prepend(bubble(shown));
  log.append(row);
  for (const side of sides) queue(side, row, text);
  row.scrollIntoView({ block: "end" });
}

function queue(side, row, text, number = nonce()) {
  const cell = row.querySelector(`[data-side=${side.name}]`);
  const answers = cell.querySelector("[data-answers]");
  answers.replaceChildren(root.querySelector("[data-typing]").content.firstElementChild.cloneNode(true));
  side.line = side.line.then(() => say(side, cell, answers, text, number)).then(() => mark(row));
}

async function say(side, cell, answers, text, number) {
  const answer = await send(side, new URLSearchParams({ text, nonce: number }));
  if (answer.addresses) follow(side, answer.addresses);
  if (answer.error) return answers.replaceChildren(problem(answer, text, number));
  answers.innerHTML = answer.html;
  const html = await get(`${side.why}?${new URLSearchParams({ after: side.after, brief: "1" })}`);
  if (html === null) return;
  const place = cell.querySelector("[data-decision]");
  place.innerHTML = html;
  side.after = place.querySelector("[data-place]")?.dataset.place ?? side.after;
}

/* A slot that wakes up takes the message as soon as it answers. */
async function send(side, body) {
  for (const until = Date.now() + WAKING; ;) {
    const answer = await post(side.say, body);
    if (answer.code !== "waking" || Date.now() > until) return answer;
    await new Promise((resume) => setTimeout(resume, 1_000));
  }
}

/* The address leads back to both conversations */
function follow(side, addresses) {
  side.say = addresses.say;
  side.why = addresses.why;
  const address = new URL(location.href);
  for (const one of root.querySelectorAll(".compare-sides select")) address.searchParams.set(one.name, one.value);
  address.searchParams.set(`${side.name}_talk`, decodeURIComponent(addresses.page.split("/").at(-1)));
  history.replaceState(null, "", address);
}

async function post(url, body) {
  try {
    const response = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token, Accept: "application/json" } });
    if (!response.redirected && response.headers.get("Content-Type")?.includes("json")) return await response.json();
    return { error: "This page has been open too long. Load it again." };
  } catch {
    return { error: LOST };
  }
}

async function get(url) {
  try {
    const response = await fetch(url);
    return response.ok && !response.redirected ? await response.text() : null;
  } catch {
    return null;
  }
}

/* Under the same number, for the server may have heard it; once it says so, whoever says it again means that. */
function problem({ error, code }, text, number) {
  const item = Object.assign(document.createElement("div"), { className: "bubble bubble-error", textContent: `${error} ` });
  item.setAttribute("role", "alert");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-small", textContent: "Say it again here" });
  button.dataset.againHere = text;
  button.dataset.nonce = code === "twice" ? nonce() : number;
  item.append(button);
  return item;
}

function bubble(text) {
  const said = Object.assign(document.createElement("div"), { className: "said said-user" });
  said.append(Object.assign(document.createElement("div"), { className: "bubble bubble-user", textContent: text }));
  return said;
}

const nonce = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/* Differences: intent, entities, actions, and the words of the answers */
function facts(cell) {
  const found = {};
  for (const one of cell.querySelectorAll("[data-fact]")) found[one.dataset.fact] = [one.dataset.value, one];
  const answers = cell.querySelector("[data-answers]");
  if (!answers.querySelector(".typing, .bubble-error")) {
    const words = [...answers.querySelectorAll(".bubble")].map((one) => `${one.textContent.trim()} ${one.querySelector("img")?.src ?? ""}`).join("\n");
    found.answers = [words, answers];
  }
  return found;
}

function mark(row) {
  row.querySelectorAll("[data-difference]").forEach((one) => one.remove());
  row.querySelectorAll(".is-different").forEach((one) => one.classList.remove("is-different"));
  const [left, right] = [...row.querySelectorAll("[data-side]")].map(facts);
  for (const what of ["answers", "intent", "entities", "actions"]) {
    if (!left[what] || !right[what] || left[what][0] === right[what][0]) continue;
    for (const [, element] of [left[what], right[what]]) {
      element.hidden = false;
      if (!element.childElementCount && what === "entities") element.append(Object.assign(document.createElement("span"), { className: "muted", textContent: "Entities" }), " none ");
      element.classList.add("is-different");
      const sign = root.querySelector("template[data-differs]").content.firstElementChild.cloneNode(true);
      sign.dataset.difference = what;
      element.append(sign);
    }
  }
  const last = row === log.lastElementChild;
  if (last) row.scrollIntoView({ block: "end" });
}

for (const row of log.querySelectorAll("[data-row]:not([data-row=alone])")) mark(row); // what one alone said differs from nothing
log.lastElementChild?.scrollIntoView({ block: "end" });
form.querySelector("[type=submit]").disabled = false;
if (matchMedia("(pointer: fine)").matches) box.focus();
