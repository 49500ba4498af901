// A conversation outlines the message that its panel is about, keeps it in sight, and opens what a link points at. On a
// phone the panel is a sheet over the foot of the conversation, so that who reads stays where they are.

const narrow = matchMedia("(max-width: 1000px)"); // leaves no room beside the conversation
const phone = matchMedia("(max-width: 760px)");
let wanted = null; // the chooser of the message whose panel is on its way

/* A click on a message chooses it as its time does; text can still be marked, links and buttons still work. */
document.addEventListener("click", (event) => {
  if (!event.target.closest("#conversation") || event.target.closest("#panel")) return;
  const chooser = event.target.closest("[data-choose]");
  if (chooser) return void (wanted = chooser);
  if (event.target.closest("a, button, summary, .fold") || String(getSelection())) return;
  event.target.closest(".said")?.querySelector("[data-choose]")?.click();
});

/* The panel leads to the messages before and after */
document.addEventListener("click", (event) => {
  const step = event.target.closest("#panel [data-step]");
  if (!step) return;
  const choosers = [...document.querySelectorAll("#conversation [data-choose]")];
  const from = choosers.indexOf(wanted ?? explained().querySelector("[data-choose]"));
  choosers[from + Number(step.dataset.step)]?.click();
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt === wanted) wanted = null;
});

/* Until it came, the form that is still there is of the message before: nothing is said of that one by mistake. */
document.addEventListener("submit", (event) => {
  if (!wanted || !event.target.matches("#panel form[data-correction]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

/* Only what came is outlined, so that nobody corrects one message and looks at another. */
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  const said = explained();
  for (const bubble of document.querySelectorAll("#conversation .bubble[aria-current]")) bubble.removeAttribute("aria-current");
  said.querySelector(".bubble").setAttribute("aria-current", "true");
  history.replaceState(null, "", `#${said.id}`);
  place();
  if (phone.matches) setSheet(true);
  else said.scrollIntoView({ block: narrow.matches ? "start" : "nearest" });
});

function explained() {
  return document.getElementById(document.getElementById("panel").dataset.about);
}

/* The panel stands beside the conversation, or below its message */
function place() {
  const panel = document.getElementById("panel");
  const focused = panel.contains(document.activeElement) && document.activeElement;
  let line = narrow.matches && explained();
  if (line) {
    while (line.nextElementSibling?.matches(".machinery-user, .rating")) line = line.nextElementSibling; // what is noted of it
    line.after(panel);
  } else if (!panel.parentElement.matches(".aside")) document.querySelector(".aside").append(panel);
  if (focused) focused.focus({ preventScroll: true });
}

/* A link to a message chooses it; one to an event that is folded away opens what holds it. */
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const said = explained();
  if (!target || target === said) return bringIntoSight(said);
  if (target.matches(".said")) return target.querySelector("[data-choose]")?.click();
  const fold = target.closest("details");
  if (!fold) return;
  fold.open = true;
  target.scrollIntoView({ block: "center" });
}

function bringIntoSight(said) {
  if (!said) return;
  const { top, bottom } = said.getBoundingClientRect();
  if (top < 60 || bottom > innerHeight) said.scrollIntoView({ block: narrow.matches ? "start" : "center" });
}

function begin() {
  wanted = null; // of the page before
  place();
  reveal();
}

document.addEventListener("DOMContentLoaded", begin); // when htmx knows the page
document.addEventListener("added", (event) => { if (event.target.matches(".page")) begin(); }); // by reading.js
addEventListener("hashchange", reveal);
narrow.addEventListener("change", place);

function setSheet(isOpen) {
  document.querySelector(".page").classList.toggle("has-sheet", isOpen);
  document.querySelector("[data-sheet-toggle]")?.setAttribute("aria-expanded", String(isOpen));
  explained()?.scrollIntoView({ block: "nearest" });
}

function closeSheet() {
  setSheet(false);
  document.querySelector("[data-sheet-toggle]")?.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-sheet-close]")) closeSheet();
  const toggle = event.target.closest("[data-sheet-toggle]");
  if (toggle) setSheet(toggle.ariaExpanded === "false");
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !document.querySelector(".has-sheet")) return;
  if (event.target.closest("#panel, [data-sheet-toggle]") && !event.target.closest("form")) closeSheet();
});
