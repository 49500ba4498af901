"""The parts of the page of one test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models_app.data.story_difference import Line, difference
from models_app.models import Confusion, LabelScore, ModelTest
from models_app.testing.figures import Change, change_words, figures, percent
from models_app.testing.matrix import matrix
from models_app.testing.rivals import names_beside, rivals_of
from studio.access.models import User
from studio.access.permissions import Permission

PAIRS_SHOWN = 100
COLUMNS = (
    ("name", "Intent"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("f1", "F1"),
    ("support", "Examples"),
)
WORST_FIRST = "f1"


@dataclass(frozen=True, slots=True)
class Column:
    """`key` sorts by it, `sort` is what its heading's link asks for, `order` what it is sorted by now (or empty)."""

    key: str
    title: str
    sort: str
    order: str


@dataclass(frozen=True, slots=True)
class Score:
    row: LabelScore
    precision: str
    recall: str
    f1: str
    change: Change | None = None  # of F1, to the first rival


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    path: str
    is_warning: bool
    lines: Sequence[Line]

    @property
    def is_unmarked(self) -> bool:
        """Rasa marks other intents, actions and entities, but not another value of an entity."""
        return all(line.kind == "same" for line in self.lines)


def sections_of(test: ModelTest, viewer: User, query: Mapping[str, str]) -> dict[str, object]:
    """For the template. `query` may hold `sort`, a column of the intents, and `pair`, a confusion to be opened."""
    rivals = rivals_of(test, viewer, query.get("with", ""))
    before = _f1_by_intent(rivals[0].test) if rivals else {}
    scores = list(test.scores.all())
    intents = [score for score in scores if score.kind == LabelScore.Kind.INTENT]
    pairs = list(test.confusions.all())
    sort = _known_sort(query.get("sort", ""))
    return {
        "rivals": rivals,
        "compared": query.get("with", ""),
        "beside": names_beside(test),
        "figures": figures(test, rivals),
        "columns": _columns(sort),
        "intents": [_score(row, before) for row in _sorted(intents, sort)],
        "others": [_score(row) for row in scores if row.kind != LabelScore.Kind.INTENT],
        "matrix": matrix(intents, pairs),
        "pairs": _shown_pairs(pairs, query.get("pair", "")),
        "pairs_total": len(pairs),
        "opened": query.get("pair", ""),
        "mistakes": sum(pair.count for pair in pairs),
        "stories": [_story(fault.name, fault.path, fault.is_warning, fault.text) for fault in test.faults.all()],
        "may_see_examples": viewer.may_somewhere(Permission.NLU_VIEW, test.model.assistant_id),
        "may_see_stories": viewer.may_somewhere(Permission.STORIES_VIEW, test.model.assistant_id),
    }


def _known_sort(wanted: str) -> str:
    return wanted if wanted.removeprefix("-") in dict(COLUMNS) else WORST_FIRST


def _columns(sort: str) -> list[Column]:
    found = []
    for key, title in COLUMNS:
        order = "" if sort.removeprefix("-") != key else "descending" if sort.startswith("-") else "ascending"
        found.append(Column(key, title, f"-{key}" if order == "ascending" else key, order))
    return found


def _sorted(scores: list[LabelScore], sort: str) -> list[LabelScore]:
    by_name = sorted(scores, key=lambda score: score.name)
    return sorted(by_name, key=lambda score: getattr(score, sort.removeprefix("-")), reverse=sort.startswith("-"))


def _f1_by_intent(test: ModelTest) -> dict[str, float]:
    return dict(test.scores.filter(kind=LabelScore.Kind.INTENT).values_list("name", "f1"))


def _score(row: LabelScore, before: Mapping[str, float] | None = None) -> Score:
    there = (before or {}).get(row.name)
    change = None if there is None else Change(*change_words(there, row.f1), against=percent(there))
    return Score(row, percent(row.precision), percent(row.recall), percent(row.f1), change)


def _shown_pairs(pairs: Sequence[Confusion], opened: str) -> list[Confusion]:
    """The most frequent, and the one the picture leads to."""
    return [pair for at, pair in enumerate(pairs) if at < PAIRS_SHOWN or str(pair.pk) == opened]


def _story(name: str, path: str, is_warning: bool, text: str) -> Story:
    return Story(name, path, is_warning, difference(text))
