// What every page has: drawer, theme switch, copy buttons, keyboard shortcuts.

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable=true]") !== null;
const somethingOpen = () => document.querySelector("dialog[open], [popover]:popover-open:not(.toasts)") !== null;

/* Drawer on phones */
const rail = document.getElementById("rail");
const drawerButton = document.querySelector("[data-drawer]");

function markDrawer(open) {
  rail.toggleAttribute("data-open", open);
  drawerButton.setAttribute("aria-expanded", String(open));
}

function setDrawer(open) {
  markDrawer(open);
  (open ? rail.querySelector("a, button") : drawerButton).focus();
}

if (rail && drawerButton) {
  drawerButton.addEventListener("click", () => setDrawer(!rail.hasAttribute("data-open")));
  document.querySelector(".drawer-veil").addEventListener("click", () => setDrawer(false));
  rail.addEventListener("focusout", ({ relatedTarget }) => { // Tab leads on to what the drawer would cover
    if (relatedTarget && !rail.contains(relatedTarget)) markDrawer(false);
  });
  rail.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && rail.hasAttribute("data-open") && !somethingOpen()) setDrawer(false);
  });
}

/* Theme */
function setTheme(theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("parley-theme");
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("parley-theme", theme);
  }
  markTheme();
}

function markTheme() {
  const current = document.documentElement.dataset.theme ?? "system";
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.setAttribute("aria-checked", String(choice.dataset.themeChoice === current));
  }
}

markTheme();

/* Drafts that the tab keeps are of who types them, and another person may sign in next. Who stays keeps them. */
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-sign-out]")) addEventListener("pagehide", () => sessionStorage.clear(), { once: true });
});

/* Copy buttons: data-copy holds the text, or data-copy-from the id of the element that does */
async function copy(button) {
  const source = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom).textContent : button.dataset.copy;
  await writeToClipboard(source);
  const label = button.querySelector("[data-copy-label]") ?? button;
  const before = label.textContent;
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = before; }, 1500);
}

async function writeToClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain http to another machine browsers hide the clipboard; the old way still works there.
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", (event) => {
  const copyButton = event.target.closest("[data-copy], [data-copy-from]");
  if (copyButton) copy(copyButton);
  const themeButton = event.target.closest("[data-theme-choice]");
  if (themeButton) setTheme(themeButton.dataset.themeChoice);
  if (event.target.closest("[data-keys-help]")) openKeysHelp();
});

/* Filter bars send themselves: a choice at once, text by Enter */
document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-auto-submit] select, form[data-auto-submit] input[type=date], form[data-auto-submit] input[type=checkbox]")) {
    event.target.form.requestSubmit();
  }
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-auto-submit]")) return;
  // Fields left empty would only make the address longer.
  for (const input of event.target.elements) if (input.name && input.value === "") input.disabled = true;
});

window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const input of document.querySelectorAll("form[data-auto-submit] :disabled")) input.disabled = false;
});

/* Keyboard: ? help, / filter, g then a letter to navigate, data-shortcut letters of the page */
let goPressedAt = -Infinity; // when it was pressed, and not when a busy page came to it

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || somethingOpen()) return;
  const key = event.key.toLowerCase();
  if (event.timeStamp - goPressedAt < 1500) {
    goPressedAt = -Infinity;
    if (follow(`[data-go="${CSS.escape(key)}"]`)) event.preventDefault();
    return;
  }
  if (event.key === "?") openKeysHelp();
  else if (key === "/") focusFilter();
  else if (key === "g" && document.querySelector("[data-go]")) goPressedAt = event.timeStamp;
  else if (
    !follow(rowMenuEntry(event.target, key)) && !follow(`[data-shortcut="${CSS.escape(key)}"]`) && !walk(key)
  ) return;
  event.preventDefault();
});

function rowMenuEntry(target, key) {
  return target.closest?.("tr")?.querySelector(`[role=menuitem][data-key="${CSS.escape(key)}"]`) ?? null;
}

function follow(target) {
  const element = typeof target === "string" ? document.querySelector(target) : target;
  if (!element || element.disabled || element.getAttribute("aria-disabled") === "true") return false;
  element.click();
  return true;
}

/* J and K go along the rows of a list */
function walk(key) {
  const step = { j: 1, k: -1 }[key];
  const rows = step ? [...document.querySelectorAll(".page tr .row-link")] : [];
  if (!rows.length) return false;
  const row = document.activeElement.closest("tr");
  const at = rows.findIndex((one) => row?.contains(one));
  rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))].focus();
  return true;
}

function focusFilter() {
  const field = document.querySelector("[data-filter], .filters input[type=search], .filters input[type=text], .filters-folded summary");
  field?.focus();
  field?.select?.();
}

function openKeysHelp() {
  const help = document.getElementById("keys-help");
  const list = help.querySelector("[data-page-keys]");
  const keys = [...document.querySelectorAll("[data-shortcut]")].map((element) => {
    const term = document.createElement("dt");
    const what = document.createElement("dd");
    term.append(Object.assign(document.createElement("kbd"), { textContent: element.dataset.shortcut.toUpperCase() }));
    const words = element.cloneNode(true);
    words.querySelectorAll("kbd, svg").forEach((extra) => extra.remove());
    what.textContent = element.getAttribute("aria-label") ?? words.textContent.trim();
    return [term, what];
  });
  list.replaceChildren(...keys.flat());
  help.querySelector("[data-page-keys-title]").hidden = list.hidden = keys.length === 0;
  help.showModal();
}
