// A conversation marks the chosen message and opens what a link points at.

/* A click on a message chooses it as its time does; text can still be marked, links and buttons still work. */
document.addEventListener("click", (event) => {
  if (!event.target.closest("#conversation")) return;
  const chooser = event.target.closest("[data-choose]");
  if (chooser) return mark(chooser.closest(".said"));
  if (event.target.closest("a, button, summary, .fold") || String(getSelection())) return;
  event.target.closest(".said")?.querySelector("[data-choose]")?.click();
});

function mark(said) {
  for (const bubble of document.querySelectorAll("#conversation .bubble[aria-current]")) bubble.removeAttribute("aria-current");
  said.querySelector(".bubble").setAttribute("aria-current", "true");
  history.replaceState(null, "", `#${said.id}`);
}

/* On a phone the panel lies below the conversation: bring it into sight. */
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  const panel = document.getElementById("panel");
  if (matchMedia("(max-width: 1000px)").matches) panel.scrollIntoView({ block: "start" });
});

/* A link to an event that is folded away opens what holds it. */
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const fold = target && target.closest("details");
  if (!fold) return;
  fold.open = true;
  target.scrollIntoView({ block: "center" });
}

addEventListener("hashchange", reveal);
reveal();
