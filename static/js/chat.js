// Talk and the guests' chat. An answer is shown at once; when the same turn arrives by its events, they take its place,
// so that nothing is shown twice. Turns that nobody here asked for (reminders, another tab) are added as they come.

const root = document.querySelector("[data-chat]");
const log = root.querySelector("[data-log]");
const form = root.querySelector("[data-composer]");
const box = form.elements.text;
const late = root.querySelector("[data-late]");
const token = form.elements.csrfmiddlewaretoken.value;

const urls = { say: root.dataset.sayUrl, news: root.dataset.newsUrl };
const LATE = 10_000, WAKING = 180_000, RESTART = "/restart";
let after = root.dataset.after;
let conversation = root.dataset.conversationId ?? "";
let draftKey = `parley-draft-${root.dataset.draft}`;
let busy = false;
let over = false;
const pending = []; // { text, said, element, since }: answered, but their events have not come yet

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

async function say(text, shown) {
  setBusy(true);
  const turn = add("turn");
  if (shown && text !== RESTART) turn.append(bubble(shown));
  const typing = root.querySelector("[data-typing]").content.firstElementChild.cloneNode(true);
  turn.append(typing);
  keepDraft(text);
  toEnd();
  const answer = await send(text);
  typing.remove();
  setBusy(false);
  follow(answer);
  if (answer.error) refuse(turn, answer, shown ? text : "");
  else settle(turn, answer, text);
  toEnd();
}

/* A slot that wakes up takes the message as soon as it answers. */
async function send(text) {
  const body = new URLSearchParams({ text, nonce: nonce(), conversation });
  for (const until = Date.now() + WAKING; ;) {
    const answer = await post(body);
    if (answer.code !== "waking" || Date.now() > until) return answer;
    await new Promise((resume) => setTimeout(resume, 1_000));
  }
}

async function post(body) {
  try {
    const response = await fetch(urls.say, { method: "POST", body, headers: { "X-CSRFToken": token, Accept: "application/json" } });
    return await read(response);
  } catch {
    return { error: "The connection to this page's server was lost. Your message is kept below: send it again." };
  }
}

async function read(response) {
  if (response.redirected) return { error: "You are signed out. Sign in in another tab, then send the message again." };
  if (response.headers.get("Content-Type")?.includes("json")) return response.json();
  if (response.status === 403) return { error: "This page has been open too long. Your message is kept below: reload the page and send it." };
  return { error: `The server did not take the message (${response.status}). It is kept below: send it again in a moment.` };
}

function settle(turn, answer, text) {
  turn.insertAdjacentHTML("beforeend", answer.html);
  pending.push({ text, said: answer.said, element: turn, since: Date.now() });
  keepDraft(box.value);
  schedule(600);
}

/* What was typed goes back into the box, before whatever was typed meanwhile. */
function refuse(turn, answer, text) {
  turn.replaceChildren(problem(answer));
  turn.dataset.problem = "";
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

/* The first message gives a conversation its address. */
function follow(answer) {
  if (answer.conversation) conversation = answer.conversation;
  if (!answer.addresses) return;
  const began = !urls.news;
  urls.say = answer.addresses.say;
  urls.news = answer.addresses.news;
  if (!began) return;
  for (const element of document.querySelectorAll("[data-restart], [data-copy-address], [data-again]")) element.hidden = false;
  if (!answer.addresses.page) return;
  history.replaceState(null, "", answer.addresses.page);
  for (const element of document.querySelectorAll("[data-copy-address]")) element.dataset.copy = location.href;
  document.body.dispatchEvent(new Event("talk:began"));
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
  markLate();
  if (!over) schedule();
}

async function takeNews() {
  const query = new URLSearchParams({ after, ...(conversation && { conversation }) });
  const response = await fetch(`${urls.news}?${query}`, { headers: { Accept: "application/json" } });
  if (response.redirected || [403, 404, 410].includes(response.status)) over = true;
  if (!response.ok || response.redirected) return;
  const news = await response.json();
  if (busy) return; // this turn may be among them, and its answer is still to come
  for (const turn of news.turns) {
    if (!turn.complete) break;
    take(turn);
    after = turn.ends_at;
  }
  showConversation(news.conversation);
}

function take(turn) {
  const index = pending.findIndex((shown) => shown.text === turn.text);
  if (index === -1) return addTurn(turn);
  const [shown] = pending.splice(0, index + 1).slice(-1);
  if (shown.said.every((piece) => turn.said.includes(piece))) replace(shown.element, turn);
}

function replace(element, turn) {
  const took = element.querySelector("[data-took]")?.textContent;
  element.innerHTML = turn.html;
  const note = element.querySelector("[data-took]");
  if (took && note) note.textContent = took;
}

function addTurn(turn) {
  const stays = nearEnd();
  const element = add("turn");
  element.innerHTML = turn.html;
  if (pending.length) pending[0].element.before(element);
  if (stays) toEnd();
}

function markLate() {
  if (!late) return;
  const hidden = !pending.some((turn) => Date.now() - turn.since > LATE);
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
}

/* Small things */

function add(className) {
  root.querySelector("[data-hint]")?.remove();
  log.querySelector("[data-problem]")?.remove();
  const element = Object.assign(document.createElement("div"), { className });
  log.append(element);
  return element;
}

function bubble(text) {
  const said = Object.assign(document.createElement("div"), { className: "said said-user" });
  said.append(Object.assign(document.createElement("div"), { className: "bubble bubble-user", textContent: text }));
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
