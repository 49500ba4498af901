// The page of a file: Edit begins at the line that the address names.

document.querySelector("[data-edit]")?.addEventListener("click", ({ currentTarget }) => { currentTarget.hash = location.hash; });
