// Toasts, from the page's messages and from the `toast` event (HX-Trigger or another module's), and what they say
// when an htmx request fails. A module's can carry an action, such as Undo.

const box = document.getElementById("toasts");
const LINGER = 6000;
const MOST = 3; // of who works quickly, what was done last; errors stay besides

function show(text, kind = "info", action = null) {
  const item = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  item.classList.add(`toast-${kind}`);
  item.querySelector("p").textContent = text;
  if (action) item.querySelector("p").after(buttonFor(action, item));
  box.append(item);
  arrange(item);
  [...box.querySelectorAll(".toast:not(.toast-error)")].slice(0, -MOST).forEach((old) => old.remove());
}

// What one can do about it: a label, what it runs, and the key that the page's module listens for.
function buttonFor({ label, run, key }, item) {
  const button = Object.assign(document.createElement("button"), { className: "btn btn-small", type: "button", textContent: label });
  if (key) {
    button.dataset.key = key;
    button.append(" ", Object.assign(document.createElement("kbd"), { textContent: key }));
  }
  button.addEventListener("click", () => { item.remove(); run(); });
  return button;
}

function arrange(item) {
  // A popover of its own, shown again, lies above an open dialog.
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
  item.querySelector("[aria-label=Dismiss]").addEventListener("click", () => item.remove());
  if (item.classList.contains("toast-error")) return; // stays until it is read
  let timer = setTimeout(() => item.remove(), LINGER);
  item.addEventListener("pointerenter", () => clearTimeout(timer));
  item.addEventListener("pointerleave", () => { timer = setTimeout(() => item.remove(), LINGER); });
}

if (box) box.querySelectorAll(".toast").forEach(arrange);

document.addEventListener("toast", (event) => show(event.detail.text, event.detail.kind, event.detail.action));

const SENTENCES = {
  400: "The server did not understand that request. Reload the page and try again.",
  403: "You may not do this, or the page has been open too long. Reload it and try again.",
  404: "That is no longer there. Reload the page.",
  413: "That is larger than this server accepts.",
  429: "Too many requests in a short time. Wait a moment and try again.",
  502: "The server is restarting. Try again in a moment.",
  503: "The server is not ready. Try again in a moment.",
};

// Fragments that poll try again by themselves: one lost poll is not worth a message.
const polls = (event) => event.detail.elt?.getAttribute("hx-trigger")?.includes("every");

document.addEventListener("htmx:responseError", (event) => {
  if (polls(event)) return;
  const { status, getResponseHeader } = event.detail.xhr;
  const id = getResponseHeader.call(event.detail.xhr, "X-Request-Id");
  const other = `Something went wrong on the server (${status}). Nothing more is known here${id ? `; its log has request ${id}` : ""}.`;
  show(SENTENCES[status] ?? other, "error");
});

document.addEventListener("htmx:sendError", (event) => {
  if (!polls(event)) show("The server cannot be reached. Check the connection and try again.", "error");
});

document.addEventListener("htmx:timeout", (event) => {
  if (!polls(event)) show("The server took too long to answer. Try again.", "error");
});
