// What stands behind "More filters" is closed by Escape, and by a click elsewhere.

const more = document.querySelector(".more-filters");

document.addEventListener("click", (event) => {
  if (more?.open && !more.contains(event.target)) more.open = false;
});

more?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  more.open = false;
  more.querySelector("summary").focus();
});
