"""Records on a page: nothing in them hides, runs, or turns the page around."""

import re

import pytest

from conversations.presentation import records
from conversations.presentation.records import SHOWN, beginning, for_editing, show, visible
from tests.conversations.dead import CUT, HI


def plain(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def test_markup_of_a_record_is_text() -> None:
    for html in (show(b"<script>alert(1)</script>").body, beginning(b"<b>"), visible("<i>", kept="")):
        assert "<script>" not in html and "<b>" not in html and "<i>" not in html


@pytest.mark.parametrize(
    "char",
    [
        "\0",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u200b",
        "\u200d",
        "\u202e",
        "\u2066",
        "\u2028",
        "\ufeff",
        "\u00ad",
        "\u3164",
        "\U000e0041",
        "\ue000",
    ],
)
def test_what_cannot_be_seen_stands_as_its_number(char: str) -> None:
    html = show(f"a{char}b".encode()).body
    assert char not in html and f"U+{ord(char):04X}" in html


def test_ends_of_lines_and_scripts_of_the_world_stay_as_they_are() -> None:
    text = '{\n\t"text": "نعم, ça va? 你好 👋"\n}'
    assert "unseen" not in show(text.encode()).body


def test_the_place_where_json_ends_is_marked() -> None:
    shown = show(b'{\n "a": 1\n "b": 2}')
    assert (shown.spot.line, shown.spot.column) == (3, 2)
    assert "<mark>&quot;</mark>b" in shown.body and "<mark" in shown.spot.excerpt


@pytest.mark.parametrize("record", [b"", b"{", CUT])
def test_an_end_too_early_is_marked_where_it_is(record: bytes) -> None:
    assert "<mark" in show(record).body


@pytest.mark.parametrize("record", [HI, b"[" * 100_000, b"1" * 5000])
def test_what_is_no_error_of_json_marks_nothing(record: bytes) -> None:
    assert show(record).spot is None


def test_what_is_no_utf_8_is_dumped_with_the_first_bad_byte_marked() -> None:
    shown = show(b"<plain>\n\xff and on")
    assert not shown.is_text and shown.bad_byte == 8
    line = shown.body.split("\n")[0]
    assert plain(line) == "00000000  3c 70 6c 61 69 6e 3e 0a  ff 20 61 6e 64 20 6f 6e  |&lt;plain&gt;.. and on|"
    assert "<mark>ff</mark>" in line


def test_only_the_first_64_kb_are_shown_and_no_character_is_cut_in_two() -> None:
    shown = show("ä".encode() * SHOWN)
    assert shown.is_cut and shown.is_text and plain(shown.body) == "ä" * (SHOWN // 2)
    odd = show(b"x" + "ä".encode() * SHOWN)
    assert odd.body[-1] == "ä"


def test_a_list_shows_the_beginning_in_one_line() -> None:
    assert beginning(b'{\n  "a":\t1\r\n}') == "{ &quot;a&quot;: 1 }"
    assert beginning("Grüße".encode()[:3]) == "Gr"  # cut in the middle of ü
    assert beginning(b"\x89PNG") == "89 50 4e 47"


def test_for_editing_what_cannot_be_seen_is_written_as_json_escapes_it() -> None:
    assert for_editing('{"a": "\u202e\0\x7f😀"}\r\n'.encode()) == '{"a": "\\u202e\\u0000\\u007f😀"}\n'
    assert for_editing("\U000e0041".encode()) == "\\udb40\\udc41"


def test_a_long_mark_beyond_what_is_shown_is_in_the_excerpt_alone() -> None:
    shown = show(b'{"a": "' + b"x" * SHOWN + b'" oops}')
    assert "<mark" not in shown.body and "oops" in plain(shown.spot.excerpt)
    assert len(plain(shown.spot.excerpt)) <= 2 * records.AROUND + 10
