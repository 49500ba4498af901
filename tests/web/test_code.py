import re

from hypothesis import given
from hypothesis import strategies as st

from studio.web import code


def test_highlighted_lines_are_numbered_and_escaped() -> None:
    html = code.highlight("text: <b>\nsecond: 2", "yaml")
    assert re.findall(r'id="(L\d+)"', html) == ["L1", "L2"]
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_an_unknown_language_is_shown_as_plain_text() -> None:
    assert "a &amp; b" in code.highlight("a & b", "no-such-language")


@given(st.text(alphabet=st.sampled_from("ab: -#'\"|>\n&<\t"), max_size=80))
def test_highlighting_keeps_every_line(text: str) -> None:
    html = code.highlight(text, "yaml")
    assert html.count('class="line"') == text.removesuffix("\n").count("\n") + 1


def test_the_language_follows_the_ending() -> None:
    assert [code.language_of(path) for path in ("data/nlu.yml", "actions.PY", "LICENSE")] == ["yaml", "python", "text"]


def test_equal_texts_have_no_differences() -> None:
    assert code.diff("a\nb\n", "a\nb\n") == []


def test_a_changed_line_is_removed_and_added_with_its_numbers() -> None:
    (hunk,) = code.diff("a\nb\nc\n", "a\nB\nc\n")
    assert [(line.kind, line.text, line.old, line.new) for line in hunk.lines] == [
        ("same", "a", 1, 1),
        ("removed", "b", 2, None),
        ("added", "B", None, 2),
        ("same", "c", 3, 3),
    ]


def test_far_apart_differences_are_hunks_of_their_own() -> None:
    old = "\n".join(str(number) for number in range(40))
    new = old.replace("0\n", "zero\n", 1).replace("39", "last")
    assert [hunk.new_start for hunk in code.diff(old, new)] == [1, 37]
