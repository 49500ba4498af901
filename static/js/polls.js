// What comes by itself, in fragments that poll, leaves alone what somebody is about to choose; it comes again at its next
// turn. What somebody asked for always comes.

const polls = ({ elt }) => elt.getAttribute("hx-trigger")?.includes("every") ?? false;

// It would close the menu under the pointer.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (polls(event.detail) && document.querySelector(".menu-panel:popover-open")) event.preventDefault();
});

// A click is only where the button went down and up upon the same element, and what replaced it is another one. Moves
// tell of buttons too: one that went up where the page did not hear of it, as upon a scrollbar, is not down for ever.
let isPressed = false;
let isSpaceDown = false; // which presses a button when it goes up
for (const type of ["keydown", "keyup", "blur"]) {
  addEventListener(type, (event) => { if (event.key === " " || type === "blur") isSpaceDown = type === "keydown"; }, true);
}
for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
  addEventListener(type, (event) => { isPressed = event.buttons !== 0; }, true);
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig } = event.detail;
  if ((isPressed || isSpaceDown) && !requestConfig.triggeringEvent?.isTrusted && polls(requestConfig)) event.preventDefault();
});
