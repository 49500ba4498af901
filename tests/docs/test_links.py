"""Every link of the documentation to a file of the checkout leads to one, and to a heading that is in it."""

import re
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin

from tests.docs.pages import CHECKOUT, pages

PARSER = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=3)


def links(page: str) -> list[str]:
    found = [child for token in PARSER.parse((CHECKOUT / page).read_text()) for child in token.children or ()]
    addresses = [str(child.attrs.get("href") or child.attrs.get("src") or "") for child in found]
    return [address for address in addresses if address and not re.match(r"[a-z]+:", address)]


@cache
def headings(path: Path) -> set[str]:
    tokens = PARSER.parse(path.read_text())
    return {str(token.attrs["id"]) for token in tokens if token.type == "heading_open" and "id" in token.attrs}


@pytest.mark.parametrize("page", [*pages(), "CHANGELOG.md"])
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: str) -> None:
    for address in links(page):
        where, _, anchor = address.partition("#")
        target = (CHECKOUT / page).parent / where if where else CHECKOUT / page
        assert target.is_file(), f"{page} links to {where}, which is not there"
        assert not anchor or anchor in headings(target.resolve()), f"{address}: there is no such heading"


def test_links_are_found() -> None:
    assert "docs/index.md" in links("README.md") and "operations.md#restore" in links("docs/commands.md")


def test_every_page_is_in_the_index() -> None:
    listed = {*links("docs/index.md"), *(f"decisions/{one}" for one in links("docs/decisions/index.md"))}
    missing = {page.removeprefix("docs/") for page in pages() if page.startswith("docs/")} - listed - {"index.md"}
    assert not missing, f"Name these in docs/index.md, or in docs/decisions/index.md: {sorted(missing)}"
