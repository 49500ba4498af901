// A conversation outlines the message that its panel is about, and opens what a link points at. On a phone the panel is a
// sheet over its foot, so that who reads stays where they are.

const phone = matchMedia("(max-width: 760px)");

/* A click on a message chooses it as its time does; text can still be marked, links and buttons still work. */
document.addEventListener("click", (event) => {
  if (!event.target.closest("#conversation")) return;
  if (event.target.closest("a, button, summary, .fold") || String(getSelection())) return;
  event.target.closest(".said")?.querySelector("[data-choose]")?.click();
});

/* Only what came is outlined, so that nobody corrects one message and looks at another. */
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  const panel = document.getElementById("panel");
  outline(document.getElementById(panel.dataset.about));
  if (phone.matches) setSheet(true);
  else if (matchMedia("(max-width: 1000px)").matches) panel.scrollIntoView({ block: "start" }); // it lies below the conversation
});

function outline(said) {
  for (const bubble of document.querySelectorAll("#conversation .bubble[aria-current]")) bubble.removeAttribute("aria-current");
  said.querySelector(".bubble").setAttribute("aria-current", "true");
  history.replaceState(null, "", `#${said.id}`);
}

/* A link to a message chooses it; one to an event that is folded away opens what holds it. */
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.matches(".said:not(:has(> .bubble[aria-current]))")) target.querySelector("[data-choose]")?.click();
  const fold = target.closest("details");
  if (!fold) return;
  fold.open = true;
  target.scrollIntoView({ block: "center" });
}

document.addEventListener("DOMContentLoaded", reveal); // when htmx knows the page
document.addEventListener("added", reveal); // by reading.js
addEventListener("hashchange", reveal);

function setSheet(isOpen) {
  document.querySelector(".page").classList.toggle("has-sheet", isOpen);
  document.querySelector("[data-sheet-toggle]")?.setAttribute("aria-expanded", String(isOpen));
  document.querySelector("#conversation .bubble[aria-current]")?.scrollIntoView({ block: "nearest" });
}

function closeSheet() {
  setSheet(false);
  document.querySelector("[data-sheet-toggle]").focus();
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
