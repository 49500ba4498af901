// An intent typed in the composer, /inform{"city": "Rome"}: the model's intents are offered after the slash, and what is
// no JSON is said before it is sent.

const form = document.querySelector("[data-composer]");
const box = form.elements.text;
const list = document.querySelector("[data-intents-offered]");
const note = document.querySelector("[data-intent-note]");
const options = [...list.children];
const intents = new Set(options.map((option) => option.dataset.value));
const entities = new Set(JSON.parse(list.dataset.entities));
const NAME = /^\/([^\s{@/]*)$/;
const INTENT = /^\/([^\s{@/]+)\s*(?:@[0-9.]+)?\s*(\{[^]*)?$/;
let active = null;

box.setAttribute("aria-autocomplete", "list"); // a textarea can be no combobox
box.setAttribute("aria-controls", list.id);

const shown = () => options.filter((option) => !option.hidden);

function point(option) {
  active?.removeAttribute("aria-selected");
  active = option ?? null;
  active?.setAttribute("aria-selected", "true");
  active?.scrollIntoView({ block: "nearest" });
  if (active) box.setAttribute("aria-activedescendant", active.id);
  else box.removeAttribute("aria-activedescendant");
}

function offer() {
  const wanted = NAME.exec(box.value)?.[1].toLowerCase();
  const names = (option) => option.dataset.value.toLowerCase();
  for (const option of options) option.hidden = wanted === undefined || !names(option).includes(wanted);
  const found = shown();
  list.hidden = !found.length || (found.length === 1 && names(found[0]) === wanted);
  point(list.hidden ? null : (found.find((option) => names(option).startsWith(wanted)) ?? found[0]));
}

function close() {
  list.hidden = true;
  point(null);
}

function take(option) {
  box.value = `/${option.dataset.value}`;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  close();
  box.focus();
}

/* What is wrong with it; `hint` is only worth knowing. */
function look(text) {
  const match = INTENT.exec(text.trim());
  if (!match) return {};
  const [, name, json] = match;
  let found = {};
  try {
    if (json) found = JSON.parse(json);
  } catch {
    return { problem: "What stands in the braces is not JSON. Write it like /inform{\"city\": \"Rome\"}." };
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) return { problem: "The braces must hold entities with their values, like /inform{\"city\": \"Rome\"}." };
  if (!intents.size) return {};
  if (!intents.has(name)) return { hint: `The model has no intent ${name}: it takes this for words.` };
  const unknown = Object.keys(found).filter((one) => !entities.has(one));
  return unknown.length ? { hint: `The model has no entity ${unknown.join(", ")}.` } : {};
}

function tell({ problem = "", hint = "" }) {
  note.textContent = problem || hint;
  note.hidden = !note.textContent;
  note.classList.toggle("bad", Boolean(problem));
  box.toggleAttribute("aria-invalid", Boolean(problem));
  if (problem) box.setAttribute("aria-invalid", "true");
}

box.addEventListener("input", () => {
  offer();
  const said = list.hidden ? look(box.value) : {};
  tell({ hint: said.hint }); // while one types the braces are not closed yet
});
box.addEventListener("blur", close);
list.addEventListener("mousedown", (event) => { // before the field loses the focus
  event.preventDefault();
  const option = event.target.closest("[role=option]");
  if (option) take(option);
});

// Before the composer's own listeners, which would send.
form.addEventListener("keydown", (event) => {
  if (event.target !== box || list.hidden || event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) point(shown().at((shown().indexOf(active) + step) % shown().length));
  else if (["Enter", "Tab"].includes(event.key) && active && !event.shiftKey && active.dataset.value !== box.value.slice(1)) take(active);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, true);
form.addEventListener("submit", (event) => {
  close();
  const said = look(box.value);
  tell({ problem: said.problem });
  if (!said.problem) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  box.focus();
}, true);
