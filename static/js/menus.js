// Menus: a button with popovertarget and a .menu-panel. The browser opens, closes and dismisses them;
// this places the panel beside its button and moves the focus by arrows, Home, End and first letters.

const GAP = 4;
const EDGE = 8;
const placedAt = new WeakMap(); // where the button of an open panel was

const entries = (panel) => [...panel.querySelectorAll("[role^=menuitem]")];
const buttonOf = (panel) => document.querySelector(`[popovertarget="${CSS.escape(panel.id)}"]`);

function place(panel) {
  const button = buttonOf(panel);
  if (!button) return;
  const at = button.getBoundingClientRect();
  placedAt.set(panel, at);
  const size = panel.getBoundingClientRect();
  const alignsLeft = at.left < window.innerWidth / 2;
  const left = alignsLeft ? at.left : at.right - size.width;
  const fitsBelow = at.bottom + GAP + size.height <= window.innerHeight - EDGE;
  const top = fitsBelow ? at.bottom + GAP : at.top - GAP - size.height;
  panel.style.left = `${Math.max(EDGE, Math.min(left, window.innerWidth - size.width - EDGE))}px`;
  panel.style.top = `${Math.max(EDGE, top)}px`;
}

// toggle does not bubble, hence the capture.
document.addEventListener("toggle", (event) => {
  const panel = event.target;
  if (!panel.matches?.(".menu-panel")) return;
  const open = event.newState === "open";
  buttonOf(panel)?.setAttribute("aria-expanded", String(open));
  if (!open) {
    placedAt.delete(panel);
    return;
  }
  place(panel);
  if (!panel.contains(document.activeElement)) enter(panel);
}, true);

function enter(panel) {
  (entries(panel).find((entry) => entry.matches("[aria-current], [aria-checked=true]")) ?? entries(panel)[0])?.focus();
}

document.addEventListener("keydown", (event) => {
  const button = event.target.closest?.("[aria-haspopup=menu][popovertarget]");
  const panel = button ? document.getElementById(button.getAttribute("popovertarget")) : event.target.closest?.(".menu-panel");
  if (panel?.matches(":popover-open")) {
    // A key may be quicker than the event by which a menu tells that it opened: the focus is on the button still.
    if (button && !["Tab", "Escape"].includes(event.key)) enter(panel);
    moveWithin(panel, event);
  } else if (button && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    panel.showPopover();
  }
});

function moveWithin(panel, event) {
  const all = entries(panel);
  const at = all.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
  if (event.key in steps) {
    event.preventDefault();
    all.at(steps[event.key] % all.length)?.focus();
  } else if (event.key === "Tab") {
    panel.hidePopover();
  } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
    event.preventDefault();
    if (!event.repeat) all[at].click(); // the key that opened it may be held
  } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    chooseByLetter(all, at, event.key.toLowerCase());
  }
}

function chooseByLetter(all, at, letter) {
  const keyed = all.find((entry) => entry.dataset.key === letter);
  if (keyed) keyed.click();
  else [...all.slice(at + 1), ...all].find((entry) => entry.textContent.trim().toLowerCase().startsWith(letter))?.focus();
}

document.addEventListener("click", (event) => {
  const entry = event.target.closest(".menu-panel [role^=menuitem]");
  if (!entry) return;
  if (entry.getAttribute("aria-disabled") === "true") {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  const panel = entry.closest(".menu-panel");
  buttonOf(panel)?.focus(); // so that a dialog opened by the entry returns the focus to the button
  panel.hidePopover();
}, true);

// A panel is placed once; it must not hang in the air while the page moves below it.
addEventListener("resize", () => document.querySelectorAll(".menu-panel:popover-open").forEach((panel) => panel.hidePopover()));
addEventListener("scroll", () => {
  for (const panel of document.querySelectorAll(".menu-panel:popover-open")) {
    const [was, is] = [placedAt.get(panel), buttonOf(panel)?.getBoundingClientRect()];
    // What moved before the panel was placed is told late, and moves nothing any more.
    if (was && is && (was.top !== is.top || was.left !== is.left)) panel.hidePopover();
  }
}, true);
