"""Examples as Rasa writes them, and putting them into files that otherwise stay as they are."""

from difflib import ndiff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.data.examples import (
    _NO_PART_OF_A_LINE,
    Annotation,
    Example,
    Unwritable,
    first_of_each_place,
    read,
    write,
)
from models_app.data.nlu_edits import add_examples, add_names, new_file, take_out_examples
from models_app.data.vocabulary import vocabulary
from models_app.data.yaml_text import compose, top_level

FILE = """version: "3.1"  # quoted
# Greetings

nlu:
- intent: greet   # most of all
  examples: |
    - hi
    - hello [there](place)

  # what they leave with
- intent: bye
  examples: |-
      - bye


# the end
rules: []
"""


def intents_of(data: bytes) -> dict[str, list[str]]:
    """By a real parser, as Rasa takes it apart."""
    found: dict[str, list[str]] = {}
    for entry in top_level(compose(data.decode("utf-8-sig")))["nlu"].value:
        parts = {key.value: value.value for key, value in entry.value}
        for line in parts["examples"].splitlines():
            if line.startswith("-"):
                found.setdefault(parts["intent"], []).append(line[1:].strip("\n\r "))
    return found


@pytest.mark.parametrize(
    ("text", "annotation", "line"),
    [
        ("to Berlin now", Annotation(3, 9, "city"), "to [Berlin](city) now"),
        ("to Berlin", Annotation(3, 9, "city", role="to"), 'to [Berlin]{"entity": "city", "role": "to"}'),
        ("two of us", Annotation(0, 3, "people", "2"), '[two]{"entity": "people", "value": "2"} of us'),
        ("a}b", Annotation(0, 3, "x", value="}"), r'[a}b]{"entity": "x", "value": "\u007d"}'),
        (" zu Köln 🚆", Annotation(4, 8, "city"), "zu [Köln](city) 🚆"),
    ],
)
def test_an_annotation_is_written_as_rasa_does(text: str, annotation: Annotation, line: str):
    assert write(text, [annotation]) == line


@pytest.mark.parametrize("text", ["see [here](there)", "[x]{}", "[a][b]", "", "  \n ", "\x00"])
def test_what_rasa_would_read_otherwise_is_refused(text: str):
    if text == "[x]{}":
        assert write(text) == text  # no annotation to Rasa either
    else:
        with pytest.raises(Unwritable):
            write(text)


def test_overlapping_entities_are_refused_and_the_longest_first_one_is_kept():
    both = [Annotation(0, 2, "a"), Annotation(1, 3, "b")]
    with pytest.raises(Unwritable):
        write("abc", both)
    assert first_of_each_place([both[1], both[0], Annotation(0, 1, "c")]) == [both[0]]


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)


@st.composite
def annotated(draw):
    text = draw(
        st.text(min_size=1, max_size=60) | st.text("[](){}\"'\\:|#- \n\r\t\u2028ab}é🙂", min_size=1, max_size=40)
    )
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(places[::2], places[1::2], strict=False))
    values = st.just("") | st.text(max_size=8)
    return text, [Annotation(a, b, draw(NAMES), draw(values), draw(NAMES | st.just(""))) for a, b in pairs]


@given(annotated())
def test_whatever_is_written_comes_back_from_the_file(case):
    text, annotations = case
    try:
        line = write(text, annotations)
    except Unwritable:
        return
    plain, found = read(line)
    assert plain == _NO_PART_OF_A_LINE.sub(" ", text).strip("\n\r ")
    assert [plain[one.start : one.end] for one in found] == [
        _NO_PART_OF_A_LINE.sub(" ", text)[one.start : one.end] for one in annotations
    ]
    assert [(one.entity, one.role) for one in found] == [(one.entity, one.role) for one in annotations]
    for data in (
        add_examples(FILE.encode(), {"greet": [line], "thank": [line]}),
        new_file({"greet": [line], "thank": [line]}),
    ):
        intents = intents_of(data)
        assert intents["greet"][-1] == line and intents["thank"] == [line]


def test_a_file_stays_as_it_is_but_for_the_new_lines():
    data = add_examples(FILE.encode(), {"greet": ["hey"], "bye": ["see you"], "thank": ["thanks"], "no": ["nope"]})
    changes = [line for line in ndiff(FILE.splitlines(), data.decode().splitlines()) if line[0] != " "]
    assert changes == [
        "+     - hey", "+       - see you", "+ - intent: thank", "+   examples: |", "+     - thanks",
        '+ - intent: "no"', "+   examples: |", "+     - nope",
    ]  # fmt: skip


@pytest.mark.parametrize("change", [
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data.partition(b"\n\n\n# the end")[0],
])  # fmt: skip
def test_line_ends_and_marks_are_kept(change):
    before = change(FILE.encode())
    after = add_examples(before, {"bye": ["later"], "thank": ["ta"]})
    assert after.count(b"\r\n") in (0, after.count(b"\n"))
    assert after.startswith(before[:40]) and (b"\r\n" in after) == (b"\r\n" in before)
    assert intents_of(after.replace(b"\r\n", b"\n")) == {
        "greet": ["hi", "hello [there](place)"], "bye": ["bye", "later"], "thank": ["ta"],
    }  # fmt: skip


def test_an_intent_without_a_block_of_lines_gets_an_entry_of_its_own():
    data = b'nlu:\n  - intent: a\n    examples:\n      - text: |\n          hi\n  - intent: b\n    examples: "- x"\n'
    after = add_examples(data, {"a": ["hello"], "b": ["y"]})
    assert after.startswith(data)
    assert after.endswith(b"  - intent: a\n    examples: |\n      - hello\n  - intent: b\n    examples: |\n      - y\n")


@pytest.mark.parametrize("data", [b"nlu: []\n", b"stories: []\n", b"", b"nlu:\n", "nlu: ä".encode("utf-16")])
def test_a_file_without_a_place_is_left_alone(data: bytes):
    assert add_examples(data, {"a": ["x"]}) is None


def test_lines_are_taken_out_of_their_intent_alone():
    data = add_examples(FILE.encode(), {"bye": ["hi"]})
    assert intents_of(take_out_examples(data, {"greet": {"hi"}})) == {
        "greet": ["hello [there](place)"], "bye": ["bye", "hi"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("intents:\n  - a\n\n# slots\nslots: {}\n", "intents:\n  - a\n  - b\n\n# slots\nslots: {}\n"),
        ("intents:\n- a:\n    use_entities: []\n# c", "intents:\n- a:\n    use_entities: []\n- b\n# c"),
        ("intents: [a]\n", "intents: [a, b]\n"),
        ("intents: []\n", "intents: [b]\n"),
        ("slots: {}\n", "slots: {}\n\nintents:\n  - b\n"),
    ],
)
def test_a_domain_gets_names_at_the_end_of_their_list(before: str, after: str):
    assert add_names(before.encode(), "intents", ["b"]) == after.encode()


def test_the_vocabulary_is_read_from_every_file():
    domain = b"intents:\n  - greet\n  - faq:\n      use_entities: true\nentities:\n  - city:\n      roles: [from, to]\n  - day\n"
    known = vocabulary(
        {
            "domain.yml": domain,
            "data/nlu.yml": FILE.encode(),
            "tests/nlu.yml": b"nlu:\n- intent: t\n  examples: |\n    - t\n",
        }
    )
    assert (
        known.intents == ["bye", "faq", "greet"] and known.knows_intent("faq/hours") and not known.knows_intent("bye")
    )
    assert known.entities["city"].roles == ("from", "to") and "day" in known.entities
    assert known.examples["hello there"] == [Example("greet", "hello [there](place)")]
    assert known.home_of("bye") == "data/nlu.yml" and known.home_of("new") is None
