// What is wrong with the page as it stands, in plain sentences: WCAG 2.2 AA as far as a program can tell.
// tests/browser/test_accessibility.py runs it in the page and expects an empty list.
() => {
  const FIELDS = "input:not([type=hidden]), select, textarea";
  const CONTROLS = `a[href], button, summary, [role=button], [role=menuitem], [role=menuitemradio], ${FIELDS}`;
  const problems = [];

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const hiddenFromReaders = (element) => element.closest("[aria-hidden=true], [inert]") !== null;
  const squeezed = (text) => text.replace(/\s+/g, " ").trim();

  function named(element) {
    const id = element.id ? `#${element.id}` : "";
    const words = squeezed(element.textContent ?? "").slice(0, 40);
    return `<${element.localName}${id}${element.className && typeof element.className === "string" ? "." + element.className.split(" ")[0] : ""}>${words ? ` “${words}”` : ""}`;
  }

  const report = (element, what) => problems.push(`${named(element)}: ${what}`);

  /* Names */
  function textFor(element) {
    if (element.nodeType === Node.TEXT_NODE) return element.data;
    if (element.nodeType !== Node.ELEMENT_NODE || element.getAttribute("aria-hidden") === "true") return "";
    if (element.hasAttribute("aria-label")) return element.getAttribute("aria-label");
    if (element.localName === "img") return element.alt;
    return [...element.childNodes].map(textFor).join(" ");
  }

  function nameOf(element) {
    const ids = element.getAttribute("aria-labelledby")?.split(/\s+/) ?? [];
    const spoken = ids.map((id) => document.getElementById(id)).filter(Boolean).map(textFor).join(" ");
    const labels = [...(element.labels ?? [])].map(textFor).join(" ");
    const own = element.matches(FIELDS) ? element.getAttribute("aria-label") ?? "" : textFor(element);
    return squeezed(spoken || labels || own || element.title || "");
  }

  function checkNames() {
    for (const element of all(CONTROLS)) {
      if (shown(element) && !hiddenFromReaders(element) && !nameOf(element)) report(element, "has no name");
      if (element.tabIndex > 0) report(element, "jumps the order of Tab");
      if (element.parentElement.closest("a[href], button")) report(element, "stands inside another control");
    }
    for (const image of all("img")) if (!image.hasAttribute("alt")) report(image, "has no alt");
    for (const box of all("[aria-hidden=true]")) {
      if (all(CONTROLS, box).some((element) => element.tabIndex >= 0 && shown(element))) report(box, "hides a control that Tab reaches");
    }
    for (const part of all("dialog[open], [role=dialog], table, nav, [role=search]")) {
      const needsName = part.localName === "dialog" || (part.localName === "nav" && all("nav").length > 1);
      if (needsName && shown(part) && !part.hasAttribute("aria-label") && !part.hasAttribute("aria-labelledby")) report(part, "has no name");
    }
  }

  /* Structure */
  function checkStructure() {
    if (!document.documentElement.lang) problems.push("the page has no language");
    if (!squeezed(document.title)) problems.push("the page has no title");
    if (all("main").length !== 1) problems.push(`the page has ${all("main").length} main parts`);
    const headings = all("h1, h2, h3, h4, h5, h6").filter((one) => shown(one) && !one.closest("dialog"));
    const tops = headings.filter((one) => one.localName === "h1");
    if (tops.length !== 1) problems.push(`the page has ${tops.length} h1`);
    const inMain = headings.filter((one) => one.closest("main, aside"));
    inMain.forEach((one, at) => {
      const level = Number(one.localName[1]);
      const before = at ? Number(inMain[at - 1].localName[1]) : 0;
      if (level > before + 1) report(one, `skips from level ${before} to ${level}`);
      if (!nameOf(one)) report(one, "says nothing");
      if (one.querySelector("nav, form")) report(one, "has more in it than words");
    });
    for (const list of all("ul, ol")) {
      const strangers = [...list.children].filter((child) => !["LI", "TEMPLATE", "SCRIPT"].includes(child.tagName));
      if (strangers.length && !list.hasAttribute("role")) report(list, `is a list that holds <${strangers[0].localName}>`);
    }
    for (const table of all("table")) {
      if (!table.querySelector("th") && !table.hasAttribute("aria-label") && !table.querySelector("caption")) report(table, "has neither headings nor a name");
    }
  }

  function checkReferences() {
    const seen = new Set();
    for (const { id } of all("[id]")) {
      if (seen.has(id)) problems.push(`two elements have the id ${id}`);
      seen.add(id);
    }
    for (const attribute of ["for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget", "list"]) {
      for (const element of all(`[${attribute}]`)) {
        for (const id of element.getAttribute(attribute).split(/\s+/)) {
          if (id && !document.getElementById(id)) report(element, `names ${id} by ${attribute}, and there is none`);
        }
      }
    }
  }

  /* Contrast: the text's colour against what is painted below it, layer by layer */
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function rgba(colour) {
    const plain = colour.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (plain) return [Number(plain[1]), Number(plain[2]), Number(plain[3]), plain[4] === undefined ? 1 : Number(plain[4])];
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);

  function groundOf(element) {
    const layers = [];
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      opacity *= Number(style.opacity);
      if (style.backgroundImage.includes("gradient")) return null;
      layers.push(rgba(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const base = rgba(getComputedStyle(document.documentElement).backgroundColor);
    return { colour: layers.reduceRight((below, layer) => over(layer, below), base[3] ? base : [255, 255, 255, 1]), opacity };
  }

  function luminance([r, g, b]) {
    const [lr, lg, lb] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * lr + 0.7152 * lg + 0.0722 * lb;
  }

  function contrast(first, second) {
    const [a, b] = [luminance(first), luminance(second)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }

  const isTransparent = (element) => !element.checkVisibility({ opacityProperty: true }); // until it has the focus

  function checkContrast() {
    const judged = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) => (squeezed(node.data) ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT));
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (judged.has(element)) continue;
      judged.add(element);
      if (!shown(element) || isTransparent(element) || element.closest("[disabled], [aria-disabled=true], .visually-hidden, option, noscript")) continue;
      const ground = groundOf(element);
      if (!ground) continue;
      const style = getComputedStyle(element);
      const ink = rgba(style.color);
      const ratio = contrast(over([ink[0], ink[1], ink[2], ink[3] * ground.opacity], ground.colour), ground.colour);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? 3 : 4.5)) report(element, `contrast ${ratio.toFixed(2)} : 1`);
    }
  }

  /* Fit */
  function checkFit() {
    const width = document.documentElement.scrollWidth;
    const room = Math.min(innerWidth, screen.width); // a phone's browser zooms out, and its window grows with the page
    if (width > room) problems.push(`the page is ${width} px wide in a window of ${room}`);
    for (const box of all("body *")) {
      if (box.scrollWidth <= box.clientWidth + 1 || !shown(box)) continue;
      const { overflowX } = getComputedStyle(box);
      const reachable = box.tabIndex >= 0 || all(CONTROLS, box).some(shown);
      if (["auto", "scroll"].includes(overflowX) && !reachable) report(box, "scrolls sideways, and not by keys");
    }
    if (!matchMedia("(pointer: coarse)").matches) return;
    for (const control of all("button, .btn, select, [role=menuitem], nav a")) {
      const { height } = control.getBoundingClientRect();
      if (shown(control) && !hiddenFromReaders(control) && height > 1 && height < 40 && !control.closest("p, .crumbs, .visually-hidden, .table nav")) report(control, `is ${Math.round(height)} px high under a thumb`);
    }
  }

  // A theme that has just changed still fades in.
  for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
  checkNames();
  checkStructure();
  checkReferences();
  checkContrast();
  checkFit();
  return [...new Set(problems)];
}
