// The panel beside a Talk: why the assistant answered as it did. One turn is chosen, the last one unless somebody chooses
// another; its place is in the address (?turn=), so that a link leads to it. Whether the panel is open is remembered.

const root = document.querySelector("[data-chat]");
const log = root.querySelector("[data-log]");
const panel = document.querySelector("[data-why]");
const body = panel.querySelector("[data-why-body]");
const toggle = document.querySelector("[data-why-toggle]");
const KEPT = "parley-why";
const wide = matchMedia("(min-width: 1001px)");
let chosen = new URL(location.href).searchParams.get("turn") ?? ""; // empty: the last one
let asked = 0;
let missed = false; // what came while somebody typed

const isOpen = () => !panel.hidden;
const isTyping = () => body.querySelector("form :focus") !== null;
body.addEventListener("focusout", () => setTimeout(() => { // the focus may go on to the next field
  if (missed && isOpen() && !isTyping()) load();
}));
const turns = () => [...log.querySelectorAll(".turn:not([data-problem])")];
const turnOf = (place) => turns().find((turn) => place && turn.dataset.place === place);
const lastOf = () => turns().filter((turn) => !turn.closest(".undone")).at(-1);
const explained = () => turnOf(chosen) ?? (chosen ? null : lastOf());

function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // browsers may refuse storage
  }
}

function open(value, { keep = true } = {}) {
  panel.hidden = !value;
  toggle.setAttribute("aria-pressed", String(value));
  document.body.classList.toggle("has-why", value);
  mark();
  if (value) load();
  if (!keep) return;
  keepInSight();
  try {
    localStorage.setItem(KEPT, value ? "open" : "closed");
  } catch {
    // As above.
  }
}

/* The turn that is explained, where the panel is a sheet that comes and goes below it */
function keepInSight() {
  if (!wide.matches) explained()?.scrollIntoView({ block: "nearest" });
}

/* The focus goes where it moves nothing: on a narrow screen the button of the page is far above */
function close() {
  open(false);
  const button = wide.matches ? toggle : (explained()?.querySelector("[data-explain]") ?? toggle);
  button.focus({ preventScroll: true });
}

/* The chosen turn carries the mark, and a button for choosing is in each */
function mark() {
  const current = isOpen() ? explained() : null;
  for (const turn of turns()) {
    turn.toggleAttribute("data-chosen", turn === current);
    turn.querySelector("[data-explain]")?.setAttribute("aria-pressed", String(turn === current));
  }
}

function decorate() {
  const template = root.querySelector("template[data-turn-tools]");
  for (const turn of turns()) {
    if (turn.querySelector(":scope > .turn-tools") || turn.querySelector(".typing") || !turn.childElementCount) continue;
    turn.append(template.content.cloneNode(true));
    turn.querySelector("[data-rewind]")?.toggleAttribute("hidden", !turn.querySelector(".said-user") || Boolean(turn.closest(".undone")));
  }
  mark();
}

async function load() {
  const number = ++asked;
  if (!root.dataset.whyUrl) return;
  const turn = chosen ? turnOf(chosen) : lastOf();
  const query = new URLSearchParams({ ...(chosen ? { turn: chosen } : { after: placeBefore(turn) }), took: turn?.dataset.took ?? "" });
  body.setAttribute("aria-busy", "true");
  let html = null;
  try {
    const response = await fetch(`${root.dataset.whyUrl}?${query}`, { headers: { "HX-Request": "true" } });
    if (response.ok && !response.redirected) html = await response.text();
  } catch {
    // What is shown stays; the next turn asks again.
  }
  if (number !== asked) return; // a later choice was faster
  body.removeAttribute("aria-busy");
  missed = html !== null && isTyping();
  if (html === null || missed) return;
  body.innerHTML = html;
  htmx.process(body);
  body.dispatchEvent(new CustomEvent("added", { bubbles: true }));
}

/* The last turn ended after this; of one whose events have not come, what was known before it */
function placeBefore(turn) {
  return turn && !turn.dataset.place ? (root.dataset.after ?? "0.0") : "0.0";
}

function choose(turn) {
  chosen = turn && turn !== lastOf() ? (turn.dataset.place ?? "") : "";
  const address = new URL(location.href);
  if (turn?.dataset.place) address.searchParams.set("turn", turn.dataset.place);
  else address.searchParams.delete("turn");
  history.replaceState(null, "", address);
  if (isOpen()) {
    mark();
    load();
    keepInSight();
  } else {
    open(true);
  }
}

toggle.addEventListener("click", () => open(!isOpen()));
panel.querySelector("[data-why-close]").addEventListener("click", close);
panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !event.target.closest("form")) close();
});
log.addEventListener("click", (event) => {
  if (event.target.closest("[data-explain]")) return choose(event.target.closest(".turn"));
  if (!isOpen() || event.target.closest("a, button, summary, details.bubble-custom") || String(getSelection())) return;
  const turn = event.target.closest(".bubble")?.closest(".turn");
  if (turn) choose(turn);
});
/* In the composer Escape leads to the keys of the page. */
root.querySelector("[data-composer]").elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) event.target.blur();
});

root.addEventListener("chat:answered", ({ target }) => {
  if (root.hasAttribute("data-may-miss-actions")) askActions(target);
  chosen = "";
  const address = new URL(location.href);
  address.searchParams.delete("turn");
  history.replaceState(null, "", address);
  decorate();
  if (isOpen()) load();
});
/* An action server that was missing is said below the turn that needed it. */
async function askActions(turn) {
  try {
    const response = await fetch(`${root.dataset.actionsUrl}?${new URLSearchParams({ after: root.dataset.after ?? "0.0" })}`);
    if (response.status === 200 && !response.redirected) turn.insertAdjacentHTML("afterend", await response.text());
  } catch {
    // The next turn asks again.
  }
}

root.addEventListener("chat:begun", () => {
  chosen = "";
  decorate();
  if (isOpen()) load();
});
/* Of a turn that is stored more is known: the message can be corrected, unless somebody is at it. */
root.addEventListener("chat:arrived", ({ target }) => {
  decorate();
  const shown = body.querySelector("[data-why-place]");
  const isLast = !chosen && target === lastOf();
  if (isOpen() && (isLast || !shown) && !isTyping()) load();
});

new MutationObserver(decorate).observe(log, { childList: true, subtree: true });
decorate();
// On a phone it covers half of the chat, so there it opens only when somebody asks.
open(chosen !== "" || (wide.matches && remembered() !== "closed"), { keep: false });
if (chosen) turnOf(chosen)?.scrollIntoView({ block: "center" });
