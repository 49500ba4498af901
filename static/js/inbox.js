// The message inbox: an answer shows the next message at once, which lies ready, while the server keeps the answer and
// sends the one after it. The first of these the page asks for when it is there, with how far one is. A message is held
// as long as it is open, so that nobody else gets it. Each request says the name of the page: they may arrive after it
// was left, or after what the next page asks for.

const HOLD_EVERY = 60_000;
const SKIPPED = 100; // messages whose words do not come again until one begins from the beginning
const place = document.getElementById("inbox-now");
const query = place?.dataset.query ?? "";
const page = place?.dataset.page ?? "";
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
const skippedKey = `skipped ${location.pathname}`;
// The tab keeps them beyond an undo, which loads the page anew; an address that names no message is the beginning.
if (!new URLSearchParams(location.search).has("m")) sessionStorage.removeItem(skippedKey);
let skipped = JSON.parse(sessionStorage.getItem(skippedKey) ?? "[]");
let waits = false; // the last message was answered before the next one arrived
let turn = 0; // counts what came forward: an answer of the server to an earlier turn knows no next message for this one

const ready = () => document.getElementById("inbox-next");
const article = () => place.querySelector("[data-event]");
const idOf = (message) => message?.dataset.event ?? "";
const address = (id, act) => `${place.dataset.next}${id}/${act}${query}`;
const say = (text, kind) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind } }));

function ask(url, data) {
  const headers = { "HX-Request": "true", "X-CSRFToken": token };
  return fetch(url, data ? { method: "POST", body: data, headers } : { headers });
}

function skip(message) {
  skipped = [...skipped, idOf(message)].slice(-SKIPPED);
  sessionStorage.setItem(skippedKey, JSON.stringify(skipped));
}

const withSkipped = (data) => { for (const key of skipped) data.append("skipped", key); };

function show(message) {
  document.getElementById("inbox-end").hidden = true;
  place.replaceChildren(message);
  window.htmx?.process(message);
  message.dispatchEvent(new CustomEvent("added", { bubbles: true }));
  message.querySelector("[data-asked]")?.focus({ preventScroll: true });
  if (place.getBoundingClientRect().bottom > innerHeight) (document.querySelector("#inbox-last:has(form)") ?? place).scrollIntoView();
}

/* The message that lies ready comes forward. Returns what it takes the place of. */
function advance() {
  const before = article();
  const next = ready().content.firstElementChild;
  turn += 1;
  if (next) {
    show(next);
    const url = new URL(location.href);
    url.searchParams.set("m", idOf(next));
    history.pushState(null, "", url);
  } else {
    waits = true;
    place.replaceChildren(Object.assign(document.createElement("p"), { className: "muted", textContent: "One moment …" }));
  }
  return before;
}

/* What comes after the message that was shown in turn `asked`, with how far one is and what was said before. */
function receive(html, asked) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  put(fresh, "inbox-progress", asked);
  if (fresh.querySelector("#inbox-last form")) put(fresh, "inbox-last", asked); // a skip says nothing of a message
  if (asked !== turn) return;
  put(fresh, "inbox-next", asked);
  if (!waits) return;
  waits = false;
  if (!ready().content.firstElementChild) return end();
  advance();
  follow();
}

/* Answers may overtake each other: what was asked for earlier does not take the place of what was asked for later. */
function put(fresh, id, asked) {
  const old = document.getElementById(id);
  if (asked < Number(old.dataset.turn ?? 0)) return;
  old.dataset.turn = String(asked);
  old.innerHTML = fresh.getElementById(id).innerHTML; // the element stays: what is new in it is read out
  window.htmx?.process(old);
}

function end() {
  place.replaceChildren();
  document.getElementById("inbox-end").hidden = false;
  document.querySelector("#inbox-end a")?.focus();
}

async function follow(message = article()) {
  const asked = turn;
  const url = new URL(address(idOf(message), "next"), location.href);
  url.searchParams.set("page", page);
  withSkipped(url.searchParams);
  const answer = await ask(url.href).catch(() => null);
  if (answer?.ok) receive(await answer.text(), asked);
  else if (waits && asked === turn) end();
}

/* An answer that was not kept brings its message back, and what came forward waits again. */
function bringBack(message) {
  const shown = article();
  if (shown) ready().content.replaceChildren(shown);
  turn += 1;
  waits = false;
  show(message);
}

function asElement(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.querySelector("[data-event]");
}

async function send(form, submitter) {
  const data = new FormData(form, submitter);
  const before = advance();
  const asked = turn;
  data.set("now", idOf(article()));
  data.set("page", page);
  withSkipped(data);
  const answer = await ask(form.action, data).catch(() => null);
  if (answer?.status === 422) return bringBack(asElement(await answer.text()) ?? before);
  if (!answer?.ok || answer.redirected) {
    bringBack(before);
    return say("The answer was not kept: the server could not be reached, or you are signed out.", "error");
  }
  document.dispatchEvent(new CustomEvent("said", { detail: form }));
  receive(await answer.text(), asked);
}

function named(fields = {}) {
  const data = new FormData();
  for (const [name, value] of Object.entries({ page, ...fields })) data.set(name, value);
  return data;
}

const leave = (id, fields) => navigator.sendBeacon(address(id, "leave"), named({ csrfmiddlewaretoken: token, ...fields }));

/* Where no message is shown, one may be on its way. */
const leavePage = () => leave(idOf(article()) || "0", { gone: "1", next: idOf(ready().content.firstElementChild) });

async function hold() {
  if (document.hidden) return;
  const next = idOf(ready().content.firstElementChild);
  if (next) ask(address(next, "hold"), named()).catch(() => null);
  const answer = article() && (await ask(address(idOf(article()), "hold"), named()).catch(() => null));
  if (answer?.status === 409) say("Somebody else has this message now: you were away from it for a while. Skip it.", "warning");
}

if (place) {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-answer]") || event.submitter?.hasAttribute("data-plain")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-skip]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!article()) return;
    const before = advance();
    skip(before);
    leave(idOf(before));
    follow(article() ?? before);
  });
  document.addEventListener("keydown", (event) => { // Enter beside any button presses the accented one; a guess has none
    if (event.key !== "Enter" || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    if (event.target !== document.body && !event.target.matches("[data-asked]")) return;
    place.querySelector(".btn-primary[data-shortcut=c]")?.click();
  });
  follow();
  setInterval(hold, HOLD_EVERY);
  addEventListener("pagehide", leavePage);
  addEventListener("popstate", () => location.reload());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  article()?.querySelector("[data-asked]")?.focus({ preventScroll: true });
}
