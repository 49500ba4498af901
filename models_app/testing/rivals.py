"""The models whose tests a model is compared with. Apps above know what is live, and register in AppConfig.ready()."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from models_app.models import Assistant, Model, ModelTest
from models_app.querysets import ModelTestQuerySet
from studio.access.models import User

NAMES = 500  # tests that are looked through for models to compare with


@dataclass(frozen=True, slots=True)
class Rival:
    """A test to compare with. `why` its model: `live in production`; `name` within a sentence: `production`."""

    why: str
    name: str
    test: ModelTest


Live = Callable[[Assistant, User], Sequence[tuple[str, Model]]]
_asked: list[Live] = []


def register(live: Live) -> None:
    """`live` gives what is live where, as (name of the environment, model), the most important first."""
    if live not in _asked:
        _asked.append(live)


def rivals_of(test: ModelTest, viewer: User, chosen: str = "") -> list[Rival]:
    """The chosen model by its name; else the one that is live and the one tested before, if they are others."""
    if chosen:
        return [Rival("chosen", one.model.name, one) for one in _tests_beside(test).filter(model__name=chosen)[:1]]
    found: list[Rival] = []
    live = [entry for ask in _asked for entry in ask(test.model.assistant, viewer)]
    newest = newest_tests(model.pk for _, model in live)
    for name, model in live:
        if model.pk != test.model_id and model.pk in newest:
            found.append(Rival(f"live in {name}", name, newest[model.pk]))
            break
    before = _tested_before(test)
    if before is not None and before not in [rival.test for rival in found]:
        found.append(Rival("tested before", "the one before", before))
    return found


def newest_tests(models: Iterable[int]) -> dict[int, ModelTest]:
    """The newest test of each of these models, by the model's primary key; those never tested are left out."""
    tests = ModelTest.objects.filter(model__in=list(models)).order_by("model_id", "-job_id").distinct("model_id")
    return {test.model_id: test for test in tests.named()}


def names_beside(test: ModelTest) -> list[str]:
    """Other models of the assistant that were tested, the last tested first."""
    names = _tests_beside(test).values_list("model__name", flat=True)[:NAMES]
    return list(dict.fromkeys(names))


def _tested_before(test: ModelTest) -> ModelTest | None:
    return _tests_beside(test).filter(pk__lt=test.pk).first()


def _tests_beside(test: ModelTest) -> ModelTestQuerySet:
    others = ModelTest.objects.filter(model__assistant=test.model.assistant_id, model__deleted_at=None)
    measured = others.exclude(stories=None, accuracy=None)
    return measured.exclude(model=test.model_id).named().order_by("-pk")
