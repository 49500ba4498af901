// What axe does not look for, in plain sentences: one heading of the first level, references, fit, room for a thumb.
// tests/browser/test_accessibility.py runs it in the page, before axe, and expects an empty list.
() => {
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

  function checkStructure() {
    const headings = all("h1, h2, h3, h4, h5, h6").filter((one) => shown(one) && !one.closest("dialog"));
    const tops = headings.filter((one) => one.localName === "h1");
    if (tops.length !== 1) problems.push(`the page has ${tops.length} h1`);
    for (const one of headings) if (one.querySelector("nav, form")) report(one, "has more in it than words");
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

  function checkFit() {
    const width = document.documentElement.scrollWidth;
    const room = Math.min(innerWidth, screen.width); // a phone's browser zooms out, and its window grows with the page
    if (width > room) problems.push(`the page is ${width} px wide in a window of ${room}`);
    for (const box of all("body *")) {
      const { overflowX, textOverflow } = getComputedStyle(box);
      if (!["hidden", "clip"].includes(overflowX) || textOverflow === "ellipsis" || box.matches("svg, svg *, input, textarea, .visually-hidden")) continue;
      if (box.scrollWidth > box.clientWidth + 1 && shown(box)) report(box, `cuts off ${box.scrollWidth - box.clientWidth} px`);
    }
    if (!matchMedia("(pointer: coarse)").matches) return;
    for (const control of all("button, .btn, select, [role=menuitem], nav a")) {
      const { height } = control.getBoundingClientRect();
      if (shown(control) && !hiddenFromReaders(control) && height > 1 && height < 40 && !control.closest("p, .crumbs, .visually-hidden, .table nav, .swagger-ui")) report(control, `is ${Math.round(height)} px high under a thumb`);
    }
  }

  checkStructure();
  checkReferences();
  checkFit();
  return [...new Set(problems)];
}
