// Dialogs: htmx loads content into <dialog id="dialog">, which then opens. Esc, the cross, [data-close] and a click
// beside it close it; the focus returns to what opened it. [data-typed] asks for a word before its button works;
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
    if (event.detail.target === dialog) open();
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (openedBy) (openedBy.isConnected ? openedBy : twinOf(openedBy))?.focus();
  });
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("dialog");
  if (box && event.target.closest("[data-close]")) {
    event.preventDefault();
    box.close();
  } else if (event.target === box && isBeside(box, event)) {
    box.close();
  }
});

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
