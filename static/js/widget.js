// Parley's chat for another site: a button that opens a frame. Nothing of the page is read or changed.
(() => {
  const facts = PARLEY_FACTS;
  const script = document.currentScript;
  if (window.parleyChats?.has(facts.chat)) return; // the snippet stands on the page twice
  (window.parleyChats ??= new Set()).add(facts.chat);
  const left = script?.dataset.side === "left";
  const label = script?.dataset.label || facts.open;

  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // also where the page's policy allows no style elements
  sheet.replaceSync(`
    :host { all: initial; position: fixed; z-index: 2147483000; inset: auto ${left ? "auto" : "20px"} 20px ${left ? "20px" : "auto"}; }
    button { all: initial; box-sizing: border-box; display: grid; place-items: center; width: 56px; height: 56px; border-radius: 50%; margin-${left ? "right" : "left"}: auto; background: ${facts.accent}; color: ${facts.onAccent}; cursor: pointer; box-shadow: 0 2px 6px rgb(0 0 0 / .2), 0 8px 24px rgb(0 0 0 / .18); }
    button:hover { filter: brightness(1.08); }
    button:focus-visible { outline: 3px solid ${facts.accent}; outline-offset: 3px; }
    svg { width: 26px; height: 26px; fill: none; stroke: currentcolor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
    section { display: none; margin-bottom: 12px; width: min(392px, calc(100vw - 40px)); height: min(620px, calc(100dvh - 116px)); border-radius: 14px; overflow: hidden; background: #fff; box-shadow: 0 4px 12px rgb(0 0 0 / .12), 0 16px 48px rgb(0 0 0 / .24); }
    section[data-open] { display: block; }
    iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: normal; }
    @media (max-width: 480px) {
      :host(.open) { inset: 0; display: flex; flex-direction: column-reverse; }
      :host(.open) section { flex: 1; width: 100%; margin: 0; border-radius: 0; }
      :host(.open) button { flex: none; width: 100%; height: calc(44px + env(safe-area-inset-top, 0px)); padding-top: env(safe-area-inset-top, 0px); border-radius: 0; box-shadow: none; }
      :host(.open) button:focus-visible { outline-color: ${facts.onAccent}; outline-offset: -6px; }
    }
    @media (forced-colors: active) { button { border: 2px solid ButtonText; } }`);
  shadow.adoptedStyleSheets = [sheet];

  const panel = document.createElement("section");
  panel.setAttribute("aria-label", facts.title);
  panel.id = "chat";
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-controls", "chat");
  shadow.append(panel, button);
  let frame = null;

  function turn(open) {
    if (open && !frame) load();
    panel.toggleAttribute("data-open", open);
    host.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-label", open ? facts.close : label);
    button.innerHTML = open
      ? '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 9l6 6 6-6"/></svg>'
      : '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 11.5c0 4-3.6 7-8 7-1.2 0-2.400-.2-3.400-.6L4 19.500l1.300-3.700C4.500 14.500 4 13 4 11.500c0-4 3.600-7 8-7s8 3 8 7z"/></svg>';
  }

  function load() {
    frame = document.createElement("iframe");
    frame.src = facts.chat;
    frame.title = facts.title;
    frame.addEventListener("load", () => frame.focus(), { once: true });
    panel.append(frame);
  }

  button.addEventListener("click", () => {
    const open = !panel.hasAttribute("data-open");
    turn(open);
    if (open) frame.focus();
  });
  shadow.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  addEventListener("message", (event) => {
    if (frame && event.source === frame.contentWindow && event.data?.parley === "close") close();
  });

  function close() {
    turn(false);
    button.focus();
  }

  turn(false);
  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
})();
