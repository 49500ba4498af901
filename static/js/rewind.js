// Taking back what was said in a Talk, from a message on. Asked only where more than the last message would go.

const root = document.querySelector("[data-chat]");
const log = root.querySelector("[data-log]");
const dialog = root.querySelector("[data-rewind-dialog]");
const token = root.querySelector("[data-composer]").elements.csrfmiddlewaretoken.value;
const say = (text, kind) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind } }));
let turn = null;

const standing = () => [...log.querySelectorAll(".turn:not([data-problem])")].filter((one) => !one.closest(".undone"));

log.addEventListener("click", (event) => {
  if (!event.target.closest("[data-rewind]")) return;
  turn = event.target.closest(".turn");
  const all = standing();
  const following = all.slice(all.indexOf(turn)).filter((one) => one.querySelector(".said-user")).length;
  if (!turn.dataset.place && turn !== all.at(-1)) return say("The events of this message have not arrived yet. Try again in a moment.", "info");
  if (following < 2) return takeBack();
  dialog.querySelector("[data-rewind-count]").textContent = `${following} messages, and what the assistant did on them, are taken back.`;
  dialog.returnValue = "";
  dialog.showModal();
});

dialog.addEventListener("submit", () => takeBack());

async function takeBack() {
  const place = turn.dataset.place ?? "";
  root.setAttribute("aria-busy", "true");
  const answer = await post(new URLSearchParams({ turn: place }));
  root.removeAttribute("aria-busy");
  if (answer.error) return say(answer.error, "error");
  root.dispatchEvent(new CustomEvent("chat:taken-back", { detail: answer }));
  say(answer.told, "success");
}

async function post(body) {
  try {
    const response = await fetch(root.dataset.rewindUrl, { method: "POST", body, headers: { "X-CSRFToken": token, Accept: "application/json" } });
    if (!response.redirected && response.headers.get("Content-Type")?.includes("json")) return await response.json();
    return { error: "This page has been open too long. Load it again." };
  } catch {
    return { error: "The connection to this page's server was lost. Nothing was taken back as far as this page knows: load it again." };
  }
}
