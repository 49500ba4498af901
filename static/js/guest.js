// What guests do besides talking: rate replies, begin anew where the assistant has changed, close the frame they are in.

import { headers } from "./asking.js";

const root = document.querySelector("[data-chat]");
const words = JSON.parse(root.dataset.words);

root.addEventListener("click", (event) => {
  const thumb = event.target.closest("[data-thumb]");
  if (thumb) return press(thumb);
  if (event.target.closest("[data-begin-anew]")) document.querySelector("[data-again]").requestSubmit();
});

root.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-rate-form]");
  if (!form) return;
  event.preventDefault();
  const rate = form.closest("[data-rate]");
  if (!(await send(rate, rate.dataset.value, form.elements.comment.value))) return;
  if (form.contains(document.activeElement)) rate.querySelector("summary").focus();
  rate.querySelector("details").open = false;
});

/* A thumb that is pressed already is taken back. */
async function press(thumb) {
  const rate = thumb.closest("[data-rate]");
  const before = rate.dataset.value;
  const value = thumb.dataset.thumb === before ? "" : thumb.dataset.thumb;
  mark(rate, value);
  const comment = value ? rate.querySelector("textarea").value : "";
  if (!(await send(rate, value, comment))) mark(rate, before);
}

function mark(rate, value) {
  rate.dataset.value = value;
  for (const thumb of rate.querySelectorAll("[data-thumb]")) thumb.setAttribute("aria-pressed", String(thumb.dataset.thumb === value));
  rate.querySelector("details").hidden = !value;
}

/* One after the other: of two clicks the last one counts. */
let sending = Promise.resolve(true);

function send(rate, value, comment) {
  sending = sending.then(() => post(rate, value, comment));
  return sending;
}

async function post(rate, value, comment) {
  const said = rate.querySelector("[data-rate-said]");
  try {
    const body = new URLSearchParams({ key: rate.dataset.rate, value, comment });
    const response = await fetch(root.dataset.rateUrl, { method: "POST", body, headers: headers() });
    const answer = await response.json();
    said.textContent = response.ok ? answer.said : answer.error;
    return response.ok;
  } catch {
    said.textContent = words.rate_failed;
    return false;
  }
}
