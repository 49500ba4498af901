// A plain script in <head>, not a module: it must run before the first paint, or the page flashes in the other theme.
(() => {
  const saved = localStorage.getItem("parley-theme");
  if (saved === "light" || saved === "dark") document.documentElement.dataset.theme = saved;
})();
