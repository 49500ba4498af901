"""Source text as highlighted lines, and the difference between two texts."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight as pygments_highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

_BY_ENDING = {"yml": "yaml", "yaml": "yaml", "py": "python", "md": "markdown", "json": "json", "toml": "toml"}
# Beyond this a page would freeze while the browser lays out the spans; the text is still shown, plain.
_MAX_HIGHLIGHTED = 400_000
NOTE = '<span class="line-note line-note-{}"><b>{}:</b> {} <span class="muted">{}</span></span>'


@cache
def _lexer(language: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    try:
        return get_lexer_by_name(_BY_ENDING.get(language, language), **options)
    except ClassNotFound:
        return TextLexer(**options)


def language_of(path: str) -> str:
    """The language of a file by its ending, `text` when unknown."""
    return _BY_ENDING.get(path.rpartition(".")[2].lower(), "text")


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a line; `kind` is error or warning."""

    line: int
    kind: str
    text: str
    more: str = ""


def highlight(text: str, language: str = "text", notes: Iterable[Note] = ()) -> SafeString:
    """A numbered code view. Numbers come from the style sheet, so copied text has none; line 3 is `#L3`.

    Notes stand below their lines, and are not copied either.
    """
    chosen = _lexer(language if len(text) <= _MAX_HIGHLIGHTED else "text")
    marked = pygments_highlight(text, chosen, HtmlFormatter(nowrap=True))
    # With nowrap Pygments closes its spans at each line's end, so lines can be cut apart.
    lines = marked.removesuffix("\n").split("\n")
    noted: dict[int, list[Note]] = {}
    for note in notes:
        noted.setdefault(note.line, []).append(note)
    rows = format_html_join(
        "", "{}", ((_row(number, line, noted.get(number, [])),) for number, line in _numbered(lines))
    )
    return format_html('<pre class="code" tabindex="0"><code>{}</code></pre>', rows)


def _row(number: int, line: SafeString, notes: list[Note]) -> SafeString:
    if not notes:
        return format_html('<span class="line" id="L{}">{}</span>\n', number, line)
    kind = "error" if any(note.kind == "error" for note in notes) else "warning"
    texts = format_html_join("", NOTE, ((note.kind, note.kind.capitalize(), note.text, note.more) for note in notes))
    return format_html('<span class="line line-{}" id="L{}">{}</span>{}', kind, number, line, texts)


def _numbered(lines: list[str]) -> Iterator[tuple[int, SafeString]]:
    return ((number, mark_safe(line)) for number, line in enumerate(lines, 1))  # noqa: S308 - escaped by Pygments


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind` is same, added or removed; a side the line is not on has no number."""

    kind: str
    text: str
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Neighbouring differences with their context, and where they begin."""

    old_start: int
    new_start: int
    lines: list[DiffLine] = field(default_factory=list)


def diff(old: str, new: str, context: int = 3) -> list[Hunk]:
    """Differences from `old` to `new`, line by line; an empty list when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    return [
        Hunk(group[0][1] + 1, group[0][3] + 1, [line for step in group for line in _step(before, after, step)])
        for group in matcher.get_grouped_opcodes(context)
    ]


def _step(before: list[str], after: list[str], step: tuple[str, int, int, int, int]) -> Iterator[DiffLine]:
    kind, old_from, old_to, new_from, new_to = step
    if kind == "equal":
        for shift in range(old_to - old_from):
            yield DiffLine("same", before[old_from + shift], old_from + shift + 1, new_from + shift + 1)
        return
    for at in range(old_from, old_to):
        yield DiffLine("removed", before[at], at + 1, None)
    for at in range(new_from, new_to):
        yield DiffLine("added", after[at], None, at + 1)
