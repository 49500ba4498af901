"""Parts of a project as Rasa Studio knows them: read out of any files, put back without a word lost or doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from models_app.data.check import check_file
from models_app.data.parts import (
    CONFIG,
    DOMAIN,
    FLOWS,
    NLU,
    NotMergeable,
    Wanted,
    edits_for,
    load,
    narrowed_domain,
    narrowed_nlu,
    part_of,
)

GREET = b"""version: "3.1"
# What people say first.
nlu:
- intent: greet
  examples: |
    - hey
    - hello [Mara](name)
"""
MIXED = b"""version: "3.1"

nlu:
  - intent: bye
    examples: |
      - bye

stories:
- story: end
  steps:
  - intent: bye
"""
FILES = {"config.yml": b"pipeline: []\n", "data/nlu.yml": GREET, "data/mixed.yml": MIXED, "actions/a.py": b"nlu: 1\n"}


def intents(text: str) -> list[str]:
    return [one["intent"] for one in YAML(typ="safe", pure=True).load(text)["nlu"]]


def after(files, part, content: bytes):
    return {path: data for path, data in {**files, **edits_for(files, part, content)}.items() if data is not None}


def test_a_part_that_is_one_file_is_that_file_byte_for_byte() -> None:
    assert part_of({"data/nlu.yml": GREET}, NLU) == GREET.decode()
    assert part_of(FILES, CONFIG) == "pipeline: []\n"
    assert part_of(FILES, DOMAIN) == part_of(FILES, FLOWS) == ""


def test_a_part_in_several_files_is_joined_with_its_comments_lost_and_nothing_else() -> None:
    text = part_of(FILES, NLU)
    assert intents(text) == ["bye", "greet"]
    assert "[Mara](name)" in text and "story" not in text
    assert not check_file("data/nlu.yml", text.encode()).errors


def test_a_part_of_a_mixed_file_leaves_the_rest_there() -> None:
    assert intents(part_of({"data/mixed.yml": MIXED}, NLU)) == ["bye"]


def test_putting_a_part_back_takes_it_out_of_every_other_file() -> None:
    files = after(FILES, NLU, GREET.replace(b"greet", b"hello"))
    assert part_of(files, NLU) == GREET.decode().replace("greet", "hello")
    assert b"story: end" in files["data/mixed.yml"] and b"bye\n    examples" not in files["data/mixed.yml"]
    assert (files["config.yml"], files["actions/a.py"]) == (FILES["config.yml"], FILES["actions/a.py"])


def test_a_file_that_held_nothing_else_is_gone() -> None:
    files = {"data/a.yml": GREET, "data/nlu.yml": GREET}
    assert after(files, NLU, MIXED).keys() == {"data/nlu.yml"}


def test_a_new_part_gets_a_place_of_its_own() -> None:
    assert after(FILES, FLOWS, b"flows: {}\n")["data/flows.yml"] == b"flows: {}\n"
    mixed = {"data/nlu.yml": MIXED}
    files = after(mixed, NLU, GREET)
    assert files["data/studio-nlu.yml"] == GREET and b"stories" in files["data/nlu.yml"]


def test_a_domain_in_several_files_is_one_domain() -> None:
    files = {
        "domain/a.yml": b"intents:\n- greet\nresponses:\n  utter_a:\n  - text: a\n",
        "domain/b.yml": b"intents: [greet, bye]\nresponses:\n    utter_b:\n    - text: b\n",
    }
    found = load(part_of(files, DOMAIN))
    assert found["intents"] == ["greet", "bye"]
    assert found["responses"].keys() == {"utter_a", "utter_b"}


def test_a_list_in_brackets_is_joined_too() -> None:
    files = {"a.yml": b"nlu: [{intent: a, examples: '- x'}]\n", "b.yml": GREET}
    assert intents(part_of(files, NLU)) == ["a", "greet"]


def test_what_is_no_yaml_is_not_joined() -> None:
    with pytest.raises(NotMergeable):
        part_of({"a.yml": b"intents: [\n", "b.yml": b"intents: []\n"}, DOMAIN)


def test_tests_and_what_stands_beside_are_no_part() -> None:
    files = {"tests/test_nlu.yml": GREET, "studio/studio-endpoints.yml": b"nlu: 1\n"}
    assert part_of(files, NLU) == ""


def test_some_intents_and_entities_alone() -> None:
    text = part_of(FILES, NLU)
    assert intents(narrowed_nlu(text, Wanted(frozenset({"bye"}), frozenset()))) == ["bye"]
    assert intents(narrowed_nlu(text, Wanted(frozenset(), frozenset({"name"})))) == ["greet"]
    assert narrowed_nlu(text, Wanted(frozenset({"none"}), frozenset({"nam"}))) == ""
    named = GREET.decode().replace("(name)", '{"entity": "name", "role": "guest"}')
    assert intents(narrowed_nlu(named, Wanted(frozenset(), frozenset({"name"})))) == ["greet"]
    domain = "intents:\n- greet\n- bye:\n    use_entities: []\nentities: [name]\nslots: {}\n"
    kept = load(narrowed_domain(domain, Wanted(frozenset({"bye"}), frozenset({"name"}))))
    assert kept == {"version": "3.1", "intents": [{"bye": {"use_entities": []}}], "entities": ["name"]}


@given(
    names=st.lists(st.text("abcdefg", min_size=1, max_size=5), min_size=1, max_size=8, unique=True),
    cuts=st.integers(1, 4),
    indents=st.lists(st.sampled_from(["", "  ", "    "]), min_size=4, max_size=4),
)
def test_however_it_is_spread_the_nlu_data_come_out_whole(names, cuts, indents) -> None:
    files = {}
    for number in range(cuts):
        body = "".join(
            f"{indents[number]}- intent: {name}\n{indents[number]}  examples: |\n{indents[number]}    - {name}\n"
            for name in names[number::cuts]
        )
        if body:
            files[f"data/{number}.yml"] = f"nlu:\n{body}".encode()
    assert sorted(intents(part_of(files, NLU))) == sorted(names)
    content = part_of(files, NLU).encode()
    assert part_of(after(files, NLU, content), NLU).encode() == content
