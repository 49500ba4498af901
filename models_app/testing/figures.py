"""The numbers of a test in words, and how they stand to those of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from models_app.models import ModelTest
from models_app.testing.rivals import Rival

SAME = 0.0005  # shares are shown with one decimal of a percent
FIGURES = (
    ("stories_share", "Stories right"),
    ("steps_accuracy", "Steps right"),
    ("accuracy", "Intents right"),
    ("macro_f1", "F1 of intents"),
    ("weighted_f1", "F1, weighted"),
)
ABOUT = {
    "stories_share": "Test stories in which every intent, entity and action was as written.",
    "steps_accuracy": "Of all intents, entities and actions in the test stories.",
    "accuracy": "Of the held-out examples.",
    "macro_f1": "The mean over all intents, each counting alike.",
    "weighted_f1": "The mean over all intents, each counting as often as it has held-out examples.",
}


@dataclass(frozen=True, slots=True)
class Change:
    """`+1.2` against a rival; `tone` is good, bad or muted."""

    text: str
    tone: str
    against: str


@dataclass(frozen=True, slots=True)
class Figure:
    key: str
    title: str
    text: str
    about: str
    changes: tuple[Change, ...]


def figures(test: ModelTest, rivals: Sequence[Rival] = ()) -> list[Figure]:
    """Those that were measured."""
    found = []
    for key, title in FIGURES:
        value = getattr(test, key)
        if value is not None:
            changes = [_change(value, rival, key) for rival in rivals]
            text = _stories(test) if key == "stories_share" else percent(value)
            found.append(Figure(key, title, text, ABOUT[key], tuple(change for change in changes if change)))
    return found


def percent(share: float) -> str:
    """`91.4 %`; what is not all is never rounded to all."""
    shown = f"{100 * share:.1f}"
    if shown == "100.0" and share < 1:
        shown = "99.9"
    return f"{shown.removesuffix('.0')} %"


def change_words(before: float, now: float) -> tuple[str, str]:
    """The difference in points, and its tone."""
    if abs(now - before) < SAME:
        return "±0", "muted"
    return f"{'+' if now > before else '−'}{100 * abs(now - before):.1f}", "good" if now > before else "bad"


def is_worse(test: ModelTest, than: ModelTest) -> list[str]:
    """Sentences, one for each part that is worse than another model's; parts not measured in both say nothing."""
    found = []
    for key, noun in (("stories_share", "stories"), ("macro_f1", "F1 of intents")):
        now, before = getattr(test, key), getattr(than, key)
        if now is not None and before is not None and now < before - SAME:
            found.append(f"{noun} {percent(now)} instead of {percent(before)}")
    return found


def short_words(test: ModelTest) -> list[str]:
    """For a line of a list: `12 of 13 stories`, `F1 91.4 %`."""
    words = [f"{_stories(test)} stories"] if test.stories else []
    return words + ([f"F1 {percent(test.macro_f1)}"] if test.macro_f1 is not None else [])


def _stories(test: ModelTest) -> str:
    return f"{test.stories_correct} of {test.stories}"


def _change(value: float, rival: Rival, key: str) -> Change | None:
    before = getattr(rival.test, key)
    return None if before is None else Change(*change_words(before, value), against=rival.name)
