"""Bytes that nobody could read, shown so that nothing in them hides, runs, or turns the page around."""

import codecs
import json
import re
import unicodedata
from dataclasses import dataclass

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

SHOWN = 64 * 1024  # bytes
AROUND = 60  # characters on each side of a mark
_PER_LINE, _DUMPED_IN_LINE = 16, 48

# What has no shape of its own, or turns its neighbours around: controls, formats (the bidirectional ones are among
# them), separators, surrogates, private use, what Unicode has not given out; and letters that look like nothing.
_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
_LIKE_NOTHING = frozenset("\u00a0\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for span in (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for code in span
}
_KEPT = "\n\t"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a text something is wrong: from 0 in the whole, from 1 as people count."""

    at: int
    line: int
    column: int
    excerpt: SafeString


@dataclass(frozen=True, slots=True)
class Shown:
    """A record for a page. `body` is its text, or a dump of its bytes when it is no UTF-8."""

    body: SafeString
    is_text: bool
    size: int
    spot: Spot | None  # of the first error of JSON
    bad_byte: int | None  # the first that is no UTF-8

    @property
    def is_cut(self) -> bool:
        return self.size > SHOWN


def show(data: bytes) -> Shown:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Shown(_dump(data[:SHOWN], error.start), False, len(data), None, error.start)
    spot = json_error(text)
    shown = data[:SHOWN].decode(errors="ignore")  # the last character may be cut in the middle
    body = visible(shown) if spot is None else _marked(shown, spot.at)
    return Shown(body, True, len(data), spot, None)


def json_error(text: str) -> Spot | None:
    """Where the text stops being JSON; None when it is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        begin = max(0, error.pos - AROUND)
        excerpt = _marked(text[begin : error.pos + AROUND], error.pos - begin)
        return Spot(error.pos, error.lineno, error.colno, excerpt)
    except (RecursionError, ValueError):  # too deep; a number of too many digits
        return None
    return None


def beginning(data: bytes) -> SafeString:
    """One line that tells a record from others: the text it begins with, else its first bytes."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)  # the last character may be cut in the middle
    except UnicodeDecodeError:
        return SafeString(data[:_DUMPED_IN_LINE].hex(" "))
    return visible(" ".join(text.split()), kept="")


def visible(text: str, kept: str = _KEPT) -> SafeString:
    """HTML of a text in which every character can be seen; those of `kept` stay as they are."""
    unseen = "".join(char for char in set(text) if is_unseen(char) and char not in kept)
    escaped = escape(text)
    if not unseen:
        return escaped
    return mark_safe(re.sub(f"[{re.escape(unseen)}]", lambda found: _named(found[0]), escaped))  # noqa: S308 - escaped


def is_unseen(char: str) -> bool:
    return unicodedata.category(char) in _UNSEEN or char in _LIKE_NOTHING


def for_editing(data: bytes) -> str:
    """A text for a form: what cannot be seen is written as JSON escapes it, so that it can be found and taken out."""
    text = data.decode(errors="replace").replace("\r\n", "\n")
    return "".join(_escaped(char) if is_unseen(char) and char not in _KEPT else char for char in text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) < 0x20 or not char.isascii() else f"\\u{ord(char):04x}"


def _named(char: str) -> str:
    code = f"U+{ord(char):04X}"
    name = unicodedata.name(char, "control character" if unicodedata.category(char) == "Cc" else "no name")
    return format_html('<span class="unseen" title="{}">{}</span>', name.capitalize(), code)


def _marked(text: str, at: int) -> SafeString:
    """`text` with the character at `at` marked, or its end."""
    if at > len(text):  # beyond what is shown
        return visible(text)
    char = visible(text[at], kept="") if at < len(text) else SafeString("end")
    return format_html(
        "{}<mark>{}</mark>{}", visible(text[:at]), char if char.strip() else "space", visible(text[at + 1 :])
    )


def _dump(data: bytes, bad: int) -> SafeString:
    """As hexdump writes it, the byte at `bad` marked."""
    lines = (_dump_line(data[at : at + _PER_LINE], at, bad) for at in range(0, len(data), _PER_LINE))
    return mark_safe("\n".join(lines))  # noqa: S308 - each is escaped


def _dump_line(part: bytes, at: int, bad: int) -> str:
    pairs = [f"{byte:02x}" for byte in part]
    if at <= bad < at + len(part):
        pairs[bad - at] = f"<mark>{pairs[bad - at]}</mark>"
    pairs += ["  "] * (_PER_LINE - len(part))
    letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
    return f"{at:08x}  {' '.join(pairs[:8])}  {' '.join(pairs[8:])}  |{escape(letters)}|"
