// Examples that wait: choosing all, all of an intent, or some, and how many that are.

const form = document.querySelector("[data-examples]");
const boxes = form ? [...form.querySelectorAll("[name=example]")] : [];
const everything = form?.querySelector("[data-choose-everything]");

function show() {
  const chosen = boxes.filter((box) => box.checked).length;
  for (const place of form.querySelectorAll("[data-chosen]")) place.textContent = everything?.checked ? "all" : chosen;
  for (const button of form.querySelectorAll("[data-settle]")) button.disabled = !chosen && !everything?.checked;
  for (const head of form.querySelectorAll("[data-choose-all], [data-choose-of]")) {
    const mine = under(head);
    const on = mine.filter((box) => box.checked).length;
    head.checked = on > 0 && on === mine.length;
    head.indeterminate = on > 0 && on < mine.length;
  }
}

const under = (head) => boxes.filter((box) => !("unwritable" in box.dataset) && (!head.dataset.chooseOf || box.dataset.of === head.dataset.chooseOf));

form?.addEventListener("change", ({ target }) => {
  if (target.matches("[data-choose-all], [data-choose-of]")) for (const box of under(target)) box.checked = target.checked;
  show();
});

form?.addEventListener("submit", () => {
  const busy = form.querySelector("[data-busy]");
  if (busy) busy.hidden = false;
});

if (form) {
  addEventListener("pageshow", show); // browsers bring ticks back
  show();
}
