"""The demo's words fit the starter assistant."""

from pathlib import Path

from conversations.demo.changes import CHANGES
from conversations.demo.dialogues import QUESTIONS, dialogues, examples_of

STARTER = Path(__file__).resolve().parents[2] / "starter"
FILES = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}


def test_every_change_finds_the_words_that_it_changes() -> None:
    for change in CHANGES:
        assert FILES[change.path].decode().count(change.before) == 1, change.message


def test_every_question_has_examples_without_annotations() -> None:
    examples = examples_of(FILES)
    assert set(QUESTIONS) <= examples.keys()
    assert not any("[" in line or "(" in line for lines in examples.values() for line in lines if "](" in line)


def test_dialogues_are_many_different_and_the_same_for_a_seed() -> None:
    examples = examples_of(FILES)
    first, again = list(dialogues(examples, 200)), list(dialogues(examples, 200))
    assert first == again
    assert all(first)
    assert len({tuple(dialogue) for dialogue in first}) > 190
