// A log (<pre class="log" data-follow>) that keeps its end in sight until the reader scrolls up.
// New text is swapped in by htmx with hx-swap="beforeend" or innerHTML; both are noticed.

const SLACK = 24;
const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < SLACK;

function follow(log) {
  const button = log.parentElement.querySelector("[data-follow-end]");
  let following = true;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  const setFollowing = (value) => {
    following = value;
    if (button) button.hidden = value;
  };
  log.addEventListener("scroll", () => setFollowing(atEnd(log)), { passive: true });
  button?.addEventListener("click", () => { toEnd(); setFollowing(true); });
  new MutationObserver(() => { if (following) toEnd(); }).observe(log, { childList: true, subtree: true, characterData: true });
  const wanted = document.getElementById(location.hash.slice(1)); // a link to a line leads there, not to the end
  if (wanted && log.contains(wanted)) { wanted.scrollIntoView({ block: "center" }); setFollowing(atEnd(log)); return; }
  toEnd();
  setFollowing(true);
}

function followAll(root) {
  for (const log of root.querySelectorAll(".log[data-follow]:not([data-followed])")) {
    log.dataset.followed = "";
    follow(log);
  }
}

followAll(document);
document.addEventListener("htmx:afterSettle", () => followAll(document));
