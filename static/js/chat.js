// Talk and the guests' chat. An answer is shown at once; when the same turn arrives by its events, they take its place,
// so that nothing is shown twice. Turns that nobody here asked for (reminders, another tab) are added as they come.

import { headers, ready } from "./asking.js";
import { mayBeBack, outbox } from "./outbox.js";

const root = document.querySelector("[data-chat]");
const log = root.querySelector("[data-log]");
const form = root.querySelector("[data-composer]");
const box = form.elements.text;
const late = root.querySelector("[data-late]");
const offline = document.querySelector("[data-offline]");
let sent = outbox(root.dataset.draft);
const words = { // those of guests are of their language
  bad_lost: "The connection to this page's server was lost. Your message is kept below: send it again.",
  bad_old: "This page has been open too long. Your message is kept below: reload the page and send it.",
  bad_server: "The server did not take the message. It is kept below: send it again in a moment.",
  waiting: "Not sent yet: there is no connection. It is sent as soon as it is back.",
  slow: "The answer takes longer than usual.",
  ...JSON.parse(root.dataset.words ?? "{}"),
};

const urls = { say: root.dataset.sayUrl, news: root.dataset.newsUrl };
const LATE = 10_000, PATIENCE = 45_000, UNDER_WAY = 60_000, WAKING = 180_000;
const RESTART = "/restart", INTENT = /^\/[^\s{@/]+\s*(?:@[0-9.]+)?\s*(?:\{|$)/;
let after = root.dataset.after;
let conversation = root.dataset.conversationId ?? "";
let draftKey = `parley-draft-${root.dataset.draft}`;
let busy = false;
let over = false;
let begun = 0; // how often the conversation was shown anew
// { text, said, element, since }: answered, but their events have not come yet. With `until` also the answer is awaited.
const pending = [];

/* Saying something */

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (!text || busy) return box.focus();
  box.value = "";
  say(text, text);
});

box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

log.addEventListener("click", (event) => {
  const button = event.target.closest("[data-payload]");
  if (button && !busy) say(button.dataset.payload, button.textContent);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-say]");
  if (button && !busy) say(button.dataset.say, "");
});

async function say(text, shown, message = { text, shown, nonce: nonce(), at: Date.now(), conversation }) {
  setBusy(true);
  const before = log.querySelector(".turn:last-of-type .bubble-user")?.textContent.trim();
  const turn = add("turn");
  if (shown && text !== RESTART) turn.append(bubble(shown));
  const typing = root.querySelector("[data-typing]").content.firstElementChild.cloneNode(true);
  turn.append(typing);
  sent.keep(message);
  keepDraft(box.value);
  toEnd();
  const answer = await deliver(message, turn);
  typing.remove();
  setBusy(false);
  if (answer.repeated && isElsewhere(answer)) return drop(turn);
  follow(answer);
  const isShown = before === shown && message.reloaded; // the page came with it
  if (isShown && (answer.repeated || answer.code === "twice")) drop(turn);
  else if (["timeout", "lost", "twice"].includes(answer.code)) awaitNews(turn, answer, message);
  else if (answer.error) refuse(turn, answer, shown ? text : "");
  else settle(turn, answer, text);
  toEnd();
}

/* Again and again while there is no connection, or a slot wakes up: the server knows it by its nonce. */
async function deliver(message, turn) {
  const began = Date.now();
  for (let tries = 0; ; tries++) {
    const answer = await send(message);
    const patience = { "under-way": UNDER_WAY, waking: WAKING }[answer.code] ?? 0;
    const isUnderWay = Date.now() - began < patience;
    showWaiting(turn, answer);
    if (!answer.lost && !isUnderWay) return answer.code === "under-way" ? { ...answer, code: "twice" } : answer;
    if (answer.lost) await mayBeBack(tries);
    else await new Promise((resolve) => setTimeout(resolve, 1_500 + 1_500 * Math.random()));
  }
}

async function send({ text, nonce }) {
  await ready;
  const body = new URLSearchParams({ text, nonce, conversation });
  try {
    const answer = await read(await fetch(urls.say, { method: "POST", body, headers: headers() }));
    if (answer.guest) root.dispatchEvent(new CustomEvent("chat:met", { bubbles: true, detail: answer.guest }));
    return answer;
  } catch {
    return { lost: true };
  }
}

async function read(response) {
  if (response.redirected) return { error: "You are signed out. Sign in in another tab, then send the message again." };
  if (response.headers.get("Content-Type")?.includes("json")) return response.json();
  if (response.status === 403) return { error: words.bad_old };
  if ([502, 503, 504].includes(response.status)) return { lost: true }; // what stands before the server
  return { error: words.bad_server };
}

function showWaiting(turn, answer) {
  if (offline) offline.hidden = !answer.lost;
  const text = answer.lost ? words.waiting : answer.code === "waking" ? answer.error : "";
  const note = turn.querySelector("[data-waiting]");
  if ((note?.textContent ?? "") === text) return;
  note?.remove();
  if (text) turn.append(noteOf(text));
  if (text && !answer.lost) document.body.dispatchEvent(new Event("talk:waking")); // the page shows its slot
}

function noteOf(text) {
  const note = Object.assign(document.createElement("div"), { className: "bubble-note", textContent: text });
  note.dataset.waiting = "";
  note.setAttribute("role", "status");
  return note;
}

/* It may have been heard: then its turn comes with the news, and until then nothing has failed. */
function awaitNews(turn, answer, { text, shown }) {
  turn.append(noteOf(words.slow));
  pending.push({ text, said: [], element: turn, since: Date.now(), until: Date.now() + PATIENCE, answer, shown });
  schedule(600);
}

function giveUp() {
  for (const one of pending.filter((turn) => turn.until < Date.now())) {
    pending.splice(pending.indexOf(one), 1);
    refuse(one.element, one.answer, one.shown ? one.text : "");
  }
}

function drop(turn) {
  turn.remove();
  sent.forget();
}

function settle(turn, answer, text) {
  turn.insertAdjacentHTML("beforeend", answer.html);
  turn.dataset.took = answer.seconds;
  pending.push({ text, said: answer.said, element: turn, since: Date.now() });
  sent.forget();
  showChanged(answer);
  schedule(600);
  tell("chat:answered", turn);
}

/* What was typed goes back into the box, before whatever was typed meanwhile. */
function refuse(turn, answer, text) {
  turn.replaceChildren(problem(answer));
  turn.dataset.problem = "";
  sent.forget();
  if (answer.code === "twice") return;
  box.value = [text, box.value].filter(Boolean).join("\n");
  keepDraft(box.value);
  box.focus();
}

function problem(answer) {
  const item = document.createElement("div");
  item.className = "bubble bubble-error";
  item.setAttribute("role", "alert");
  item.textContent = answer.error;
  if (answer.link) item.append(" ", Object.assign(document.createElement("a"), { href: answer.link.url, textContent: answer.link.label }));
  return item;
}

/* Of a conversation that was left meanwhile, by "Start over" here or in another tab */
const isElsewhere = (one) => Boolean(one.conversation && conversation && one.conversation !== conversation);

/* Whoever begins anew waits for no answer any more. */
for (const what of ["submit", "click"]) {
  document.addEventListener(what, (event) => {
    if (event.target.closest(what === "submit" ? "[data-again]" : "[data-begin]")) sent.forget();
  });
}

/* The first message gives a conversation its address. */
function follow(answer) {
  if (answer.conversation) conversation = answer.conversation;
  if (!answer.addresses) return;
  const began = !urls.news;
  for (const [what, url] of Object.entries(answer.addresses)) root.dataset[`${what}Url`] = url;
  urls.say = answer.addresses.say;
  urls.news = answer.addresses.news;
  if (!began) return;
  for (const element of document.querySelectorAll("[data-restart], [data-copy-address], [data-again]")) element.hidden = false;
  if (!answer.addresses.page) return;
  history.replaceState(null, "", answer.addresses.page);
  rename(root.dataset.draft.replace(/new$/, decodeURIComponent(answer.addresses.page.split("/").at(-1))));
  for (const element of document.querySelectorAll("[data-copy-address]")) element.dataset.copy = location.href;
  document.body.dispatchEvent(new Event("talk:began"));
}

/* What is kept of a new conversation belongs to this one now, and not to the next new one. */
function rename(name) {
  const message = sent.kept();
  sent.forget();
  keepDraft("");
  root.dataset.draft = name;
  sent = outbox(name);
  draftKey = `parley-draft-${name}`;
  if (message) sent.keep(message);
  keepDraft(box.value);
}

/* What came by events */

let timer = 0;

function schedule(wait) {
  clearTimeout(timer);
  const fresh = pending.some((turn) => Date.now() - turn.since < 60_000);
  timer = setTimeout(look, wait ?? (document.hidden ? 20_000 : fresh ? 1_000 : 5_000));
}

async function look() {
  try {
    if (urls.news && !busy) await takeNews();
  } catch {
    // The next look may succeed; sending says so when it does not.
  }
  giveUp();
  markLate();
  if (!over) schedule();
}

async function takeNews() {
  const number = begun;
  const query = new URLSearchParams({ after, ...(conversation && { conversation }), ...(isLate() && { late: 1 }) });
  const response = await fetch(`${urls.news}?${query}`, { headers: headers() });
  if (response.redirected || [403, 404, 410].includes(response.status)) over = true;
  if (!response.ok || response.redirected) return;
  const news = await response.json();
  if (busy) return; // this turn may be among them, and its answer is still to come
  if (number !== begun || root.hasAttribute("aria-busy")) return; // what was taken back here meanwhile may be among them
  if (news.log !== undefined) begin(news, "Something was taken back in another tab.");
  for (const turn of news.turns) {
    if (!turn.complete) break;
    take(turn);
    after = turn.ends_at;
  }
  showConversation(news.conversation);
  showChanged(news);
  showLate(news);
}

/* Something was taken back, here or in another tab: the conversation as it is now */
function begin({ log: html, after: place }, told) {
  begun++;
  log.innerHTML = html;
  pending.length = 0;
  after = place;
  tell("chat:begun", log);
  if (told) document.dispatchEvent(new CustomEvent("toast", { detail: { text: told, kind: "info" } }));
  toEnd();
}

root.addEventListener("chat:taken-back", ({ detail }) => {
  begin(detail, "");
  box.value = [detail.text, box.value].filter(Boolean).join("\n");
  keepDraft(box.value);
  box.focus();
});

function take(turn) {
  const index = pending.findIndex((shown) => shown.text === turn.text);
  if (index === -1) return addTurn(turn);
  const [shown] = pending.splice(0, index + 1).slice(-1);
  if (shown.said.every((piece) => turn.said.includes(piece))) replace(shown.element, turn);
  if (shown.until) sent.forget();
}

function replace(element, turn) {
  const took = element.querySelector("[data-took]")?.textContent;
  const [rate, focused] = [element.querySelector("[data-rate]"), document.activeElement];
  show(element, turn);
  keepRate(rate, element.querySelector("[data-rate]"), focused);
  const note = element.querySelector("[data-took]");
  if (took && note) note.textContent = took;
}

/* Whoever is rating the answer goes on with it; it only has another name now. */
function keepRate(rate, fresh, focused) {
  if (!rate || !fresh) return;
  rate.dataset.rate = fresh.dataset.rate;
  fresh.replaceWith(rate);
  if (rate.contains(focused)) focused.focus({ preventScroll: true });
}

function show(element, turn) {
  element.innerHTML = turn.html;
  element.dataset.place = turn.place;
  tell("chat:arrived", element);
}

function addTurn(turn) {
  const stays = nearEnd();
  const element = add("turn");
  show(element, turn);
  if (pending.length) pending[0].element.before(element);
  if (stays) toEnd();
}

const isLate = () => Boolean(late) && pending.some((turn) => !turn.until && Date.now() - turn.since > LATE);

/* Why, which is asked again at each look: what is wrong may change */
function showLate({ late: html }) {
  if (html !== undefined && late.dataset.shown !== html) late.innerHTML = late.dataset.shown = html;
}

function markLate() {
  if (!late) return;
  const hidden = !isLate() || !late.firstElementChild;
  if (hidden === late.hidden) return;
  const stays = nearEnd();
  late.hidden = hidden;
  if (stays) scrollTo(0, document.documentElement.scrollHeight); // the notice lies over the last words
}

function showConversation(url) {
  const link = document.querySelector("[data-conversation]");
  if (!link || !url) return;
  link.href = url;
  link.hidden = false;
  const story = document.querySelector("[data-story][hidden]");
  if (!story) return;
  story.href = `${url}/story`;
  story.setAttribute("hx-get", story.href);
  story.removeAttribute("aria-disabled");
  story.hidden = false;
  htmx.process(story);
}

function showChanged({ changed }) {
  const note = root.querySelector("[data-changed]");
  if (note && changed) note.hidden = false;
}

/* Small things */

/* For the modules of the page beside this one; `root.dataset` has the addresses and `after`. */
function tell(what, turn) {
  root.dataset.after = after;
  turn.dispatchEvent(new CustomEvent(what, { bubbles: true }));
}

function add(className) {
  root.querySelector("[data-hint]")?.remove();
  log.querySelector("[data-problem]")?.remove();
  const element = Object.assign(document.createElement("div"), { className });
  log.append(element);
  return element;
}

function bubble(text) {
  const said = Object.assign(document.createElement("div"), { className: "said said-user" });
  const words = Object.assign(document.createElement("div"), { className: "bubble bubble-user", textContent: text });
  if (INTENT.test(text)) {
    words.classList.add("bubble-intent");
    words.prepend(Object.assign(document.createElement("small"), { textContent: "intent " }));
  }
  said.append(words);
  return said;
}

function setBusy(value) {
  busy = value;
  form.querySelector("[type=submit]").setAttribute("aria-disabled", String(value));
}

function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const nearEnd = () => (log.lastElementChild?.getBoundingClientRect().bottom ?? 0) < innerHeight + 120;
const toEnd = () => log.lastElementChild?.scrollIntoView({ block: "end" }); // its margin leaves room for the foot

/* A reload loses nothing that was typed. */
function keepDraft(text) {
  try {
    if (text) sessionStorage.setItem(draftKey, text);
    else sessionStorage.removeItem(draftKey);
  } catch {
    // Browsers may refuse storage; then only a reload would lose the draft.
  }
}

box.addEventListener("input", () => keepDraft(box.value));
try {
  box.value ||= sessionStorage.getItem(draftKey) ?? "";
} catch {
  // As above.
}

document.addEventListener("visibilitychange", () => { if (!document.hidden && !over) schedule(0); });
log.addEventListener("load", (event) => { if (event.target.matches("img") && nearEnd()) toEnd(); }, true);
if (log.querySelector(".turn")) toEnd();
if (matchMedia("(pointer: fine)").matches) box.focus(); // on a phone the keyboard would hide the conversation
schedule(urls.news ? 500 : undefined);
form.querySelector("[type=submit]").disabled = false;

/* What a reload interrupted goes on by itself. */
const left = sent.kept();
const isHere = !left?.conversation || left.conversation === conversation; // else it was begun anew since
if (left?.fresh && isHere) say(left.text, left.shown, { ...left, reloaded: true });
else if (left) {
  box.value = [left.shown && left.text, box.value].filter(Boolean).join("\n");
  keepDraft(box.value);
  sent.forget();
}
