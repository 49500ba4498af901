// Correcting a message: its entities are marked word by word, and fields offer the names there are.
// Places are counted in characters as Python and Rasa do, not in JavaScript's UTF-16 units.

const FACTS = ["entity", "value", "role", "group"];
// Words; of scripts that write none apart, each character.
const WORD = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}\p{M}_]+|\S/gu;
const lengthOf = (text) => [...text].length;
let ids = 0;

/* Fields that offer names: arrows choose, Enter takes, Escape closes. What is not offered may be typed as well. */
function offer(input) {
  const list = input.parentElement.querySelector(":scope > .options");
  const options = [...list.children];
  list.id ||= `options-${++ids}`;
  for (const option of options) option.id ||= `option-${++ids}`;
  input.setAttribute("aria-controls", list.id);
  const shown = () => options.filter((option) => !option.hidden);
  let active = null;

  function point(option) {
    active?.removeAttribute("aria-selected");
    active = option ?? null;
    active?.setAttribute("aria-selected", "true");
    active?.scrollIntoView({ block: "nearest" });
    if (active) input.setAttribute("aria-activedescendant", active.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function open(words) {
    const wanted = words.trim().toLowerCase();
    for (const option of options) option.hidden = !option.dataset.value.toLowerCase().includes(wanted);
    list.hidden = !shown().some((option) => option.dataset.value !== input.value || !wanted); // nothing more to offer
    input.setAttribute("aria-expanded", String(!list.hidden));
    list.scrollIntoView({ block: "nearest" }); // the panel may end above it
    point(wanted ? shown().find((option) => option.dataset.value.toLowerCase().startsWith(wanted)) : null);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    point(null);
  }

  function take(option) {
    input.value = option.dataset.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  }

  input.addEventListener("focus", () => { input.select(); open(""); });
  input.addEventListener("blur", close);
  input.addEventListener("input", (event) => { if (event.isTrusted) open(input.value); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open("");
      const all = shown();
      const from = all.indexOf(active);
      point(all.at(from < 0 && step < 0 ? -1 : (from + step) % all.length));
    } else if (event.key === "Enter" && active && !list.hidden && active.dataset.value !== input.value) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  list.addEventListener("mousedown", (event) => { // before the field loses the focus
    const option = event.target.closest("[role=option]");
    event.preventDefault();
    if (option) take(option);
  });
}

/* The words of a message */
class Words {
  constructor(form) {
    this.form = form;
    this.box = form.querySelector("[data-words]");
    this.rows = form.querySelector("[data-entities]");
    this.template = form.querySelector("template[data-entity]");
    this.field = form.elements.entities;
    this.text = [...this.box.dataset.text];
    this.entities = JSON.parse(this.field.value || "[]");
    this.active = this.anchor = 0;
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "listbox");
    this.box.setAttribute("aria-multiselectable", "true");
    form.querySelector("[data-words-help]").hidden = false;
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("mouseup", () => this.onMouse());
    this.box.addEventListener("focus", () => this.point());
    this.box.addEventListener("blur", () => this.point());
    this.showRows();
    this.show();
  }

  /* Pieces of the text: words, what is between them, and cuts where an entity begins or ends. */
  pieces() {
    const cuts = new Set([0, this.text.length]);
    const text = this.text.join("");
    for (const found of text.matchAll(WORD)) {
      const start = lengthOf(text.slice(0, found.index));
      cuts.add(start).add(start + lengthOf(found[0]));
    }
    for (const one of this.entities) cuts.add(one.start).add(one.end);
    const places = [...cuts].sort((a, b) => a - b);
    return places.slice(1).map((end, at) => ({ start: places[at], end, words: this.text.slice(places[at], end).join("") }));
  }

  at(place) {
    return this.entities.find((one) => one.start <= place && place < one.end);
  }

  show() {
    this.words = [];
    this.box.replaceChildren(...this.pieces().flatMap((piece) => this.spans(piece)));
    this.point();
    this.field.value = JSON.stringify(this.entities.map((one) => Object.fromEntries(Object.entries(one).filter(([, fact]) => fact !== ""))));
  }

  spans(piece) {
    const entity = this.at(piece.start);
    const span = Object.assign(document.createElement("span"), { textContent: piece.words });
    Object.assign(span.dataset, { start: piece.start, end: piece.end });
    if (entity) span.classList.add("in-entity");
    if (piece.words.trim()) {
      span.id = `word-${++ids}`;
      span.setAttribute("role", "option");
      if (entity) span.setAttribute("aria-label", `${piece.words}, ${entity.entity || "entity without a name"}`);
      this.words.push(span);
    }
    if (!entity || entity.end !== piece.end) return [span];
    const name = Object.assign(document.createElement("small"), { textContent: entity.entity || "?", ariaHidden: "true" });
    return [span, name];
  }

  /* What the keyboard is at: the words from where Shift was pressed to the active one. */
  point() {
    this.active = Math.min(this.active, this.words.length - 1);
    this.anchor = Math.min(this.anchor, this.words.length - 1);
    const focused = document.activeElement === this.box;
    const [first, last] = [this.active, this.anchor].sort((a, b) => a - b);
    this.words.forEach((word, at) => word.setAttribute("aria-selected", String(focused && first <= at && at <= last)));
    if (focused) this.box.setAttribute("aria-activedescendant", this.words[this.active].id);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowRight: this.active + 1, ArrowLeft: this.active - 1, Home: 0, End: this.words.length - 1 }[event.key];
    if (to !== undefined) {
      this.active = Math.max(0, Math.min(to, this.words.length - 1));
      if (!event.shiftKey) this.anchor = this.active;
      this.point();
    } else if (event.key === "Enter" || event.key === " ") {
      const [first, last] = [this.active, this.anchor].sort((a, b) => a - b);
      this.mark(Number(this.words[first].dataset.start), Number(this.words[last].dataset.end));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.remove(this.at(Number(this.words[this.active].dataset.start)));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onMouse() {
    const chosen = getSelection();
    if (!chosen.rangeCount || !this.box.contains(chosen.anchorNode)) return;
    const range = chosen.getRangeAt(0);
    if (!this.box.contains(range.endContainer) && range.endContainer !== this.box) return;
    let start = this.placeOf(range.startContainer, range.startOffset);
    let end = this.placeOf(range.endContainer, range.endOffset);
    while (start < end && !this.text[start].trim()) start += 1;
    while (start < end && !this.text[end - 1].trim()) end -= 1;
    if (start < end) {
      chosen.removeAllRanges();
      return this.mark(start, end);
    }
    const at = this.words.findIndex((word) => Number(word.dataset.start) <= start && start <= Number(word.dataset.end));
    this.active = this.anchor = Math.max(0, at);
    const entity = this.at(start);
    if (entity) this.rowOf(entity).querySelector("[data-fact=entity]").focus();
    else this.point();
  }

  placeOf(node, offset) {
    if (node === this.box) return offset < this.box.childNodes.length ? this.startOf(this.box.childNodes[offset]) : this.text.length;
    const piece = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest("[data-start], small");
    if (piece.localName === "small") return Number(piece.previousElementSibling.dataset.end);
    return Number(piece.dataset.start) + (node.nodeType === Node.TEXT_NODE ? lengthOf(node.data.slice(0, offset)) : 0);
  }

  startOf(node) {
    return node.dataset.start === undefined ? Number(node.previousElementSibling.dataset.end) : Number(node.dataset.start);
  }

  /* An entity in the place of those it overlaps; the same place again is the one there is. */
  mark(start, end) {
    let entity = this.entities.find((one) => one.start <= start && end <= one.end);
    if (!entity) {
      entity = { start, end, entity: "" };
      this.entities = this.entities.filter((one) => one.end <= start || end <= one.start);
      this.entities.push(entity);
      this.entities.sort((a, b) => a.start - b.start);
      this.showRows();
      this.show();
      this.changed();
    }
    this.rowOf(entity).querySelector("[data-fact=entity]").focus();
  }

  remove(entity) {
    if (!entity) return;
    this.entities = this.entities.filter((one) => one !== entity);
    this.showRows();
    this.show();
    this.changed();
    this.box.focus();
  }

  changed() {
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  rowOf(entity) {
    return this.rows.children[this.entities.indexOf(entity)];
  }

  showRows() {
    this.rows.replaceChildren(...this.entities.map((entity) => this.row(entity)));
  }

  row(entity) {
    const row = this.template.content.cloneNode(true).firstElementChild;
    const words = this.text.slice(entity.start, entity.end).join("");
    row.querySelector("[data-entity-words]").textContent = words;
    for (const input of row.querySelectorAll("[data-fact]")) {
      input.value = entity[input.dataset.fact] ?? "";
      input.addEventListener("input", () => {
        entity[input.dataset.fact] = input.value.trim();
        this.show();
      });
    }
    row.querySelector("[data-fact=value]").placeholder = words;
    row.querySelector(".entity-more").open = FACTS.slice(1).some((fact) => entity[fact]);
    const name = row.querySelector("[data-fact=entity]");
    offer(name);
    name.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { // given up before it got a name
        event.preventDefault();
        if (entity.entity) this.box.focus();
        else this.remove(entity);
      } else if (event.key === "Enter" && entity.entity && !event.defaultPrevented) {
        event.preventDefault();
        this.box.focus();
      }
    });
    row.querySelector("[data-entity-remove]").addEventListener("click", () => this.remove(entity));
    return row;
  }
}

/* An intent that the assistant does not have yet may be meant, or mistyped: the page says so. */
function hint(form) {
  const input = form.elements.namedItem("intent")[0] ?? form.elements.namedItem("intent");
  const known = new Set([...form.querySelectorAll("[data-intents] > [role=option]")].map((option) => option.dataset.value));
  const note = form.querySelector("[data-new-intent]");
  const show = () => { note.hidden = !input.value.trim() || known.has(input.value.trim()); };
  input.addEventListener("input", show);
  show();
}

/* Who looks at another message and comes back finds what they typed, unless the server has something else there now.
   The tab keeps it until it is said, as the inbox loads its page anew. A form that was refused holds what was typed, so
   that what the server has is what the form before it began with. */
const stood = new Map();
const draftOf = (form) => `draft ${form.id}`;
const fieldsOf = (form) => ["intent", "entities"].map((name) => form.querySelector(`input[name=${name}]`));
const typed = (form) => fieldsOf(form).map((field) => field.value);

function keep(form) {
  sessionStorage.setItem(draftOf(form), JSON.stringify({ upon: form.dataset.wired, values: typed(form) }));
}

function takeUp(form) {
  const draft = JSON.parse(sessionStorage.getItem(draftOf(form)) ?? "null");
  if (draft?.upon === form.dataset.wired) fieldsOf(form).forEach((field, at) => { field.value = draft.values[at]; });
}

function wire(root) {
  for (const form of root.querySelectorAll("form[data-correction]:not([data-wired])")) {
    form.dataset.wired = (form.querySelector("[role=alert]") && stood.get(form.id)) || JSON.stringify(typed(form));
    stood.set(form.id, form.dataset.wired);
    takeUp(form);
    new Words(form);
    form.querySelectorAll(":scope > .field [role=combobox][name]").forEach(offer);
    hint(form);
  }
}

for (const added of ["htmx:load", "added"]) document.addEventListener(added, (event) => wire(event.target.parentElement ?? document));
// What was typed is said: the keys of the page work again. Other answers take the focus from nobody who types.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.xhr?.status !== 200 || !detail.requestConfig?.elt.closest("form[data-correction]")) return;
  const form = document.activeElement?.closest("form[data-correction]");
  form?.querySelector(".correction-state")?.focus({ preventScroll: true });
});
document.addEventListener("click", (event) => event.target.closest("[data-mark]")?.closest("form").querySelector("[data-words]").focus());
const corrected = (element) => element?.closest("form[data-correction]");
document.addEventListener("input", ({ target }) => { if (corrected(target)) keep(corrected(target)); });
document.addEventListener("said", ({ detail }) => sessionStorage.removeItem(draftOf(detail)));
document.addEventListener("htmx:afterRequest", ({ detail }) => { // 409 and 422 are successful to htmx
  const form = corrected(detail.requestConfig?.elt);
  if (form && detail.xhr.status === 200) sessionStorage.removeItem(draftOf(form));
});
wire(document);
