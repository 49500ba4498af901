// Beside a chart's title stands what is under the pointer, at once and not after the delay of a tooltip.

for (const chart of document.querySelectorAll("[data-chart]")) {
  const said = chart.querySelector("[data-said]");
  const before = said.textContent;
  chart.addEventListener("pointerover", (event) => {
    said.textContent = event.target.closest("[data-title]")?.dataset.title ?? before;
  });
  chart.addEventListener("pointerleave", () => {
    said.textContent = before;
  });
}
