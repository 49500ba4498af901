// The chat in a frame on another site. Browsers give it no cookies of the server's, and Chromium no storage either. So
// who the guest is lies in a partitioned cookie that this script alone uses, else in the storage: either way the browser
// keeps it for that site alone. The server goes by the header in which it is sent.

import { headers, show } from "./asking.js";

const { open, chatModule, guestModule, lost } = document.body.dataset;
const GUEST = "X-Parley-Guest", PASS = "X-Parley-Pass";
const KEPT_SECONDS = 90 * 24 * 3600;
const place = (name) => `parley-${open}-${name}`;

for (const name of [GUEST, PASS]) {
  const value = stored(name);
  if (value) show(name, value);
}
enter();

async function enter() {
  const answer = await post(open);
  if (!answer) return fail();
  remember(GUEST, answer.guest);
  put(answer.html);
}

function put(html) {
  document.body.innerHTML = html;
  if (!document.querySelector("[data-chat]")) return document.querySelector("[autofocus], input")?.focus();
  document.body.inert = true; // nobody writes into a form that nothing sends yet
  Promise.all([import(chatModule), import(guestModule)]).catch(fail).finally(() => { document.body.inert = false; });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault(); // also of a form whose module did not come
  if (!form.matches("[data-enter], [data-again]")) return;
  if (form.matches("[data-enter]")) return unlock(form);
  document.body.inert = true; // what were typed now would go with the old page
  post(form.getAttribute("action"), form).then(() => location.reload());
});

/* Where many come from one address, the server first meets a guest when they write. */
document.addEventListener("chat:met", ({ detail }) => remember(GUEST, detail));

async function unlock(form) {
  const answer = await post(form.getAttribute("action"), form);
  if (!answer) return fail();
  if (!answer.pass) return put(answer.html);
  remember(PASS, answer.pass);
  enter();
}

async function post(address, form) {
  try {
    const body = new URLSearchParams(form ? new FormData(form) : {});
    const response = await fetch(address, { method: "POST", body, headers: headers() });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function fail() {
  const said = document.querySelector("[role=status]");
  if (said) Object.assign(said, { textContent: lost, hidden: false });
  addEventListener("online", () => location.reload(), { once: true });
}

function remember(name, value) {
  if (!value) return;
  show(name, value);
  document.cookie = `${name}=${value}; Path=${location.pathname}; Max-Age=${KEPT_SECONDS}; Secure; SameSite=None; Partitioned`;
  if (inCookie(name) === value) return;
  try {
    localStorage.setItem(place(name), value);
  } catch {
    // Known until this page is left.
  }
}

function stored(name) {
  try {
    return inCookie(name) ?? localStorage.getItem(place(name));
  } catch {
    return null;
  }
}

function inCookie(name) {
  return document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
}

/* The page around us hears nothing but that it may close. */
const close = () => parent.postMessage({ parley: "close" }, "*");
document.addEventListener("click", (event) => { if (event.target.closest("[data-close-frame]")) close(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
