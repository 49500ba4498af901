"""The documentation as tests read it: pages, their blocks of code, and what stands in `code` within the text."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_MARK = re.compile(r"<!-- (run|not run): (.+?) -->")
_FOR_PAGE = re.compile(rf"# .+\n\n{_MARK.pattern}\n(?!\s*```)")  # right before a block it is that block's alone


class Block(NamedTuple):
    """`mark` is `run` or `not run`, and `reason` what stands behind it: a test, or why none runs it."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page that Sphinx reads, as a path of the checkout. CHANGELOG.md is history: what it names may be gone."""
    found = [
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ]
    return sorted(path.relative_to(CHECKOUT).as_posix() for path in found)


@cache
def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text()


def blocks(*languages: str) -> list[Block]:
    """Of all pages. A comment `<!-- run: … -->` stands right before a block, or below the title for the whole page."""
    found = [block for page in pages() for block in blocks_of(page)]
    return [block for block in found if not languages or block.language in languages]


def block_of(page: str, beginning: str, ours: Mapping[str, str] | None = None) -> str:
    """The text of the one block of a page that begins so; for its examples what the test has: `{example: ours}`."""
    [found] = [block.text for block in blocks() if block.page == page and block.text.startswith(beginning)]
    return with_ours(found, ours or {})


def with_ours(text: str, ours: Mapping[str, str]) -> str:
    for example, our in ours.items():
        assert example in text, f"{example} is no longer in\n{text}"
        text = text.replace(example, our)
    return text


def blocks_of(page: str) -> Iterator[Block]:
    text = text_of(page)
    for_page = _FOR_PAGE.match(text)
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()].rstrip().rpartition("\n")[2].strip()
        mark = _MARK.fullmatch(before) or for_page
        lines = fence[3].splitlines()
        body = "\n".join(line.removeprefix(fence[1]) for line in lines) + "\n"
        line = text.count("\n", 0, fence.start()) + 1
        kind, reason = mark.groups() if mark else ("", "")
        yield Block(page, line, fence[2], body, kind, reason)


def code_in_text() -> Iterator[tuple[str, str]]:
    """(page, what stands between backticks) outside of blocks, on one line."""
    for page in pages():
        for found in _CODE.finditer(_FENCE.sub("", text_of(page))):
            yield page, " ".join(found[1].split())
