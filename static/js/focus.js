// A fragment that replaces itself takes the focus with it. htmx gives it back to what has an id; this does so for all
// else that one reaches by Tab: to what is of the same kind, leads to the same place and has the same name.

let lost = null;

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent.trim();
const likenesses = (like) => [...document.querySelectorAll(like.kind)].filter((one) => one.getAttribute("href") === like.href && nameOf(one) === like.name);

function remember(element) {
  const like = { kind: element.localName, href: element.getAttribute("href"), name: nameOf(element) };
  return { ...like, at: likenesses(like).indexOf(element) };
}

// Wherever it is: an answer can also bring parts that are swapped out of band.
document.addEventListener("htmx:beforeSwap", () => {
  const at = document.activeElement;
  lost = at && at !== document.body && !at.id ? remember(at) : null;
});

document.addEventListener("htmx:afterSwap", () => {
  if (lost && document.activeElement === document.body) likenesses(lost).at(lost.at)?.focus({ preventScroll: true });
  lost = null;
});
