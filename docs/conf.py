"""Sphinx builds the documentation of this: `make docs`. The sources are Markdown that also reads well without Sphinx.

The source folder is the checkout, so that README.md and its neighbours are pages too, and their links are checked.
"""

import re

from sphinx.application import Sphinx

project = "Parley"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = ["docs/_build/**"]
myst_heading_anchors = 3
nitpicky = True
html_theme = "furo"
html_title = "Parley"
html_favicon = "../static/img/parley.svg"
html_show_copyright = False
html_copy_source = False
linkcheck_ignore = [r"https?://[^/]*(example\.(com|org)|localhost)\b", r"http://127\.0\.0\.1"]
_LINKED = re.compile(r"^- \[[^\]]+\]\(([^)#]+)\.md\)", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _prepare)
    return {"parallel_read_safe": True}


def _prepare(app: Sphinx, docname: str, content: list[str]) -> None:
    if docname == "README":  # the front page of the repository, read here for its links alone
        content[0] = f"---\norphan: true\n---\n\n{content[0]}"
    if docname.endswith("index"):
        content[0] = _with_contents(content[0])


def _with_contents(text: str) -> str:
    """The side bar has what an index lists, section by section."""
    beginning, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    parts = [beginning + _contents(beginning, "")]
    return "".join(parts + [f"## {one}\n{_contents(one, one.splitlines()[0])}" for one in sections])


def _contents(section: str, caption: str) -> str:
    pages = "\n".join(_LINKED.findall(section))
    options = f":hidden:\n:caption: {caption}" if caption else ":hidden:"
    return f"```{{toctree}}\n{options}\n\n{pages}\n```\n\n" if pages else ""
