// Dialogs: htmx loads content into <dialog id="dialog">, which then opens. Esc, the cross, [data-close] and a click
// beside it close it; the focus returns to what opened it. What was filled in is not lost by a slip: then a click beside
// it closes nothing, and Esc has to be pressed twice. [data-typed] asks for a word before its button works;
// [data-address-of] names the field whose words it follows, until somebody writes an address of their own.

const dialog = document.getElementById("dialog");
// What gets the focus, by what there is; what destroys something is never one Enter away, so then it is Cancel.
const FIRST = [
  "[autofocus], .errors, [aria-invalid=true]",
  "input:not([type=hidden], :disabled), select, textarea, .btn-primary:not(:disabled)",
  ".dialog-foot [data-close]",
];
let openedBy = null;

function open() {
  dialog.setAttribute("aria-labelledby", "dialog-title");
  if (!dialog.open) {
    openedBy = document.activeElement;
    dialog.showModal();
  }
  dialog.querySelector(FIRST.find((selector) => dialog.querySelector(selector)))?.focus();
}

// What polls may have replaced the opener meanwhile; what replaced it leads to the same place, and has the same name.
function twinOf(lost) {
  const twins = [...document.querySelectorAll(lost.localName)].filter((one) => one.getAttribute("href") === lost.getAttribute("href"));
  return twins.find((one) => one.ariaLabel === lost.ariaLabel && one.textContent === lost.textContent);
}

if (dialog) {
  dialog.addEventListener("htmx:afterSwap", (event) => {
    const { target, xhr, requestConfig } = event.detail;
    if (target !== dialog) return;
    if (requestConfig.verb !== "get" && xhr.status < 400) delete dialog.dataset.filled; // it was taken
    open();
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    delete dialog.dataset.filled;
    if (openedBy) (openedBy.isConnected ? openedBy : twinOf(openedBy))?.focus();
  });
}

// Where the button went down: text selected from inside to beside a dialog ends in a click beside it, too.
let pressed = null;
document.addEventListener("pointerdown", (event) => { pressed = event; });

document.addEventListener("click", (event) => {
  const box = event.target.closest("dialog");
  if (box && event.target.closest("[data-close]")) {
    event.preventDefault();
    box.close();
  } else if (event.target === box && isBeside(box, event) && isBeside(box, pressed ?? event)) {
    if (!keeps(box)) box.close();
  }
});

document.addEventListener("input", ({ target }) => {
  const box = target.matches("[data-typed], [type=search]") ? null : target.closest("dialog");
  if (!box) return;
  box.dataset.filled = "";
  box.querySelector("[data-unsaved]")?.remove();
});

document.addEventListener("cancel", (event) => { // Esc; it does not bubble, and a field for files has one as well
  if (event.target.matches("dialog") && !event.target.querySelector("[data-unsaved]") && keeps(event.target)) event.preventDefault();
}, true);

// A dialog with something filled in stays, and says so.
function keeps(box) {
  if (!("filled" in box.dataset)) return false;
  box.querySelector("[data-unsaved]")?.remove();
  const words = { className: "foot-note", role: "alert", textContent: "Not saved yet: Esc or Cancel throws it away." };
  const note = Object.assign(document.createElement("p"), words);
  note.dataset.unsaved = "";
  box.querySelector(".dialog-foot").prepend(note);
  return true;
}

// A file that is downloaded leaves the page as it is, so nothing else would close what it was chosen in.
document.addEventListener("click", (event) => event.target.closest("dialog a[download]")?.closest("dialog").close());

function isBeside(box, event) {
  const at = box.getBoundingClientRect();
  return event.clientX < at.left || event.clientX > at.right || event.clientY < at.top || event.clientY > at.bottom;
}

const asAddress = (words) => words.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-").slice(0, 63).replace(/^-|-$/g, "");

document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-address-of]")) target.toggleAttribute("data-own", target.value !== "");
  const address = target.form?.querySelector(`[data-address-of="${CSS.escape(target.name)}"]:not([data-own])`);
  if (address) address.value = asAddress(target.value);
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-typed]")) return;
  event.target.form.querySelector("[type=submit]").disabled = event.target.value.trim() !== event.target.dataset.typed;
});
