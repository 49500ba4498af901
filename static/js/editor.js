// A plain text field for code: Tab indents, Enter keeps the indentation, Ctrl+S saves, lines are numbered, and leaving
// with unsaved changes asks first. Edits go through insertText, so the browser's own undo knows them.

const INDENT = "  ";

function insert(field, text) {
  field.focus();
  if (!document.execCommand("insertText", false, text)) field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

const lineStart = (field, at) => field.value.lastIndexOf("\n", at - 1) + 1;

function indentLines(field, change) {
  const from = lineStart(field, field.selectionStart);
  const text = field.value.slice(from, field.selectionEnd);
  const changed = text.split("\n").map(change).join("\n");
  if (changed === text) return;
  const { selectionStart, selectionEnd } = field;
  field.setSelectionRange(from, selectionEnd);
  insert(field, changed);
  const first = changed.indexOf("\n") === -1 ? changed.length - text.length : change(text.split("\n")[0]).length - text.split("\n")[0].length;
  field.setSelectionRange(Math.max(from, selectionStart + first), selectionEnd + changed.length - text.length);
}

const deeper = (line) => (line ? INDENT + line : line);
const shallower = (line) => line.replace(/^( {1,2}|\t)/, "");

function onKey(field, event) {
  if (event.key === "Escape") {
    field.dataset.leaving = "";
    return;
  }
  if (event.key === "Tab" && !("leaving" in field.dataset)) {
    event.preventDefault();
    if (event.shiftKey) indentLines(field, shallower);
    else if (field.value.slice(field.selectionStart, field.selectionEnd).includes("\n")) indentLines(field, deeper);
    else insert(field, INDENT);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const before = field.value.slice(lineStart(field, field.selectionStart), field.selectionStart);
    insert(field, `\n${before.match(/^[ \t]*/)[0]}`);
    field.scrollLeft = 0;
  }
  if (event.key !== "Shift") delete field.dataset.leaving;
}

/* Line numbers */
function number(field, numbers) {
  const count = field.value.split("\n").length;
  if (numbers.childElementCount !== count) {
    numbers.replaceChildren(...Array.from({ length: count }, (_, at) => Object.assign(document.createElement("span"), { textContent: at + 1 })));
  }
  numbers.scrollTop = field.scrollTop;
}

/* The line of an error, or that which the address names: one comes from there, and saving leads back to it. */
function showLine(editor, field, numbers) {
  const { errorLine, errorColumn = 1 } = editor.dataset;
  const line = Number(errorLine ?? location.hash.match(/^#L(\d+)$/)?.[1]);
  if (!line) return;
  if (errorLine) numbers.children[line - 1]?.classList.add("bad-line");
  const lines = field.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const at = start + Math.min(Number(errorColumn) - 1, lines[line - 1]?.length ?? 0);
  if (errorLine) field.focus();
  field.setSelectionRange(at, at);
  field.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(field).lineHeight));
}

/* A browser keeps the fragment over the redirect to the page of the file. */
function returnToLine(form, field) {
  const line = field.value.slice(0, field.selectionStart).split("\n").length;
  form.action = `${form.action.split("#")[0]}#L${line}`;
}

function begin(field) {
  field.focus({ preventScroll: true });
  field.setSelectionRange(0, 0); // a browser would begin at the end, below the fold
}

function wire(editor) {
  const field = editor.querySelector("textarea");
  const numbers = editor.querySelector(".editor-numbers");
  const refresh = () => number(field, numbers);
  field.addEventListener("keydown", (event) => onKey(field, event));
  field.addEventListener("input", refresh);
  field.addEventListener("scroll", () => { numbers.scrollTop = field.scrollTop; }, { passive: true });
  refresh();
  if ("begin" in editor.dataset && matchMedia("(pointer: fine)").matches) begin(field); // on a phone, keys would cover the text
  showLine(editor, field, numbers);
  field.form.addEventListener("submit", () => returnToLine(field.form, field));
}

/* What was sent is kept in this tab: when a sign-in came between, the page opens anew, of the same revision as before. */
function keepSent(form) {
  const { base, text, message } = form.elements;
  if (!text) return;
  const key = `parley-sent-${location.pathname}-${base.value}`;
  form.addEventListener("submit", () => remember(key, JSON.stringify({ text: text.value, message: message.value })));
  const sent = JSON.parse(recall(key) ?? "null");
  if (!sent || sent.text === text.value || isAnswer(form)) return;
  text.value = sent.text;
  message.value = sent.message;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  document.dispatchEvent(new CustomEvent("toast", { detail: { text: "What you had typed was not saved yet. It is here again: save it now.", kind: "warning" } }));
}

/* Browsers may refuse storage; then the text is where it always is, behind the Back button. */
function remember(key, value) {
  try { sessionStorage.setItem(key, value); } catch { /* as above */ }
}

function recall(key) {
  try {
    const value = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return value;
  } catch {
    return null;
  }
}

const isAnswer = (form) => form.querySelector(".errors, .callout-warning") !== null;

/* Unsaved changes. A form that came back with errors, or over somebody else's save, holds text that is not saved. */
function guard(form) {
  const text = () => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken"));
  const kept = isAnswer(form) ? null : text();
  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  addEventListener("beforeunload", (event) => {
    if (!leaving && text() !== kept) event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

document.querySelectorAll(".editor").forEach(wire);
document.querySelectorAll("form[data-guard]").forEach((form) => { guard(form); keepSent(form); });
