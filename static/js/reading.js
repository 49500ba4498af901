// Reading one conversation after the other: the next one is fetched ahead and shown in place, what one does with a
// conversation moves on at once, can be undone (U while the notice is there), and never costs the place in the list.

const STALE = 30_000; // ms after which a page that was fetched ahead is compared with the server's
const FAILED = "The server did not take that. Check the connection and try again.";
const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const here = () => location.pathname + location.search;
const link = (which) => document.querySelector(`[data-neighbour=${which}]`);
const say = (text, kind, action) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind, action } }));

/* Pages by address; each is fetched once and used once */
const ahead = new Map();

function fetched(address) {
  if (!ahead.has(address)) {
    const page = fetch(address).then((answer) => (answer.ok && !answer.redirected ? answer.text() : null), () => null);
    ahead.set(address, { page, at: Date.now() });
  }
  return ahead.get(address);
}

/* What was read on the way here: where a filter no longer holds it, Previous still leads back */
const trail = [];
let shown = here();
let wanted = null;

async function show(address, { trace = false } = {}) {
  if (wanted === address) return;
  wanted = address;
  document.body.classList.add("is-turning");
  const { page, at } = fetched(address);
  const html = await page;
  ahead.delete(address);
  if (wanted !== address) return; // another key was faster
  wanted = null;
  document.body.classList.remove("is-turning");
  if (html === null) return location.replace(address);
  if (trace) trail.push(shown);
  history.replaceState(null, "", address); // Back leads to where reading began: the list
  shown = here();
  scrollTo(0, 0);
  put(html);
  if (Date.now() - at > STALE) compare(address);
}

function put(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const which = document.activeElement?.closest("[data-neighbour]")?.dataset.neighbour;
  for (const part of [".topbar", ".page"]) {
    const fresh = document.adoptNode(page.querySelector(part));
    document.querySelector(part).replaceWith(fresh);
    htmx.process(fresh);
    fresh.dispatchEvent(new CustomEvent("added", { bubbles: true })); // what other modules make of it (conversations.js, correction.js)
  }
  document.title = page.title;
  for (const toast of page.querySelectorAll("#toasts .toast")) say(toast.querySelector("p").textContent, toast.className.match(/toast-(\w+)/)?.[1]);
  (link(which) ?? document.querySelector("h1"))?.focus({ preventScroll: true });
  begin();
}

/* Events may have come, or somebody may have reviewed it, since it was fetched */
async function compare(address) {
  const html = await fetched(address).page;
  ahead.delete(address);
  if (html === null || shown !== address) return;
  const page = new DOMParser().parseFromString(html, "text/html");
  const facts = (from) => from.getElementById("conversation").dataset.until + from.getElementById("standing").textContent;
  if (facts(page) !== facts(document)) put(html);
}

function begin() {
  const previous = link("previous");
  if (previous && trail.length) {
    previous.href = trail.at(-1);
    previous.removeAttribute("aria-disabled");
  }
  const next = link("next")?.getAttribute("href");
  if (next) fetched(next);
  markRead();
}

/* Read is what somebody has in front of them, not what was fetched ahead or lies in another tab */
function markRead() {
  const chat = document.getElementById("conversation");
  if (!chat?.dataset.read || document.visibilityState !== "visible") return;
  post(chat.dataset.read, { until: chat.dataset.until });
  delete chat.dataset.read;
}

document.addEventListener("visibilitychange", markRead);

async function post(address, fields) {
  const headers = { "X-CSRFToken": csrf(), Accept: "application/json" };
  try {
    const answer = await fetch(address, { method: "POST", headers, body: new URLSearchParams(fields), keepalive: true });
    if (answer.status === 204) return {};
    const isOurs = !answer.redirected && answer.headers.get("Content-Type")?.startsWith("application/json");
    return isOurs ? await answer.json() : { error: FAILED };
  } catch {
    return { error: FAILED };
  }
}

document.addEventListener("click", (event) => {
  const turned = event.target.closest("[data-neighbour][href]");
  if (!turned || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const address = turned.getAttribute("href");
  const isBack = turned.dataset.neighbour === "previous";
  if (isBack && trail.at(-1) === address) trail.pop();
  show(address, { trace: !isBack });
});

addEventListener("popstate", () => {
  if (shown === here()) return; // only the event that is linked to changed
  if (trail.at(-1) === here()) trail.pop();
  show(here());
});

/* A page that is on its way out is not spoken of any more: the key was meant for the next one, or pressed twice. */
for (const type of ["submit", "click"]) {
  document.addEventListener(type, (event) => {
    if (!wanted || !event.target.closest(".topbar, .page")) return;
    if (type === "click" && (!event.target.closest("[data-shortcut], [hx-get]") || event.target.closest("[data-neighbour]"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
}

/* Reviewed, saved for later, unread */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-review], [data-unread]")) return;
  event.preventDefault();
  if (form.matches("[data-review]")) review(form);
  else unread(form);
});

async function review(form) {
  if ("sent" in form.dataset) return;
  form.dataset.sent = ""; // until its page comes anew
  const from = shown;
  const next = form.hasAttribute("data-stay") ? null : link("next")?.getAttribute("href");
  const answer = post(form.action, new FormData(form));
  if (next) show(next, { trace: true });
  const { error, text, undo } = await answer;
  if (error) delete form.dataset.sent;
  if (error) return say(error, "error", next && { label: "Back to it", run: () => show(from) });
  if (!next && shown === from) await show(from);
  const isLast = !next && !form.hasAttribute("data-stay");
  const again = undo && { label: "Undo", key: "U", run: () => takeBack(form.dataset.undo, undo, from) };
  say(isLast ? `${text} That was the last one of the list.` : text, "success", again);
}

async function takeBack(address, undo, from) {
  const { error, text } = await post(address, { undo });
  if (error) return say(error, "error");
  if (trail.at(-1) === from) trail.pop();
  await show(from);
  say(text, "success");
}

async function unread(form) {
  const { error, text } = await post(form.action, new FormData(form));
  say(error ?? text, error ? "error" : "success");
}

/* U is for undo while there is something to undo, hence before the page's own keys */
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "u" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select") || document.querySelector("dialog[open]")) return;
  const button = [...document.querySelectorAll("#toasts [data-key=U]")].at(-1);
  if (!button) return;
  event.preventDefault();
  button.click();
}, true);

/* A flag or tag was set: its dialog is done */
document.addEventListener("marked", () => document.getElementById("dialog").close());

begin();
