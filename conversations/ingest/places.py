"""Where the events of a source with several environments belong."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import QuerySet, Value

from conversations.ingest.records import Binding
from conversations.models import IntakeSource, IntakeStream
from environments.models import Environment, EnvironmentAlias
from models_app.models import Assistant, Model

FRESH_SECONDS = 2.0
NOT_SET = "RASA_ENVIRONMENT_NOT_SET"  # what Rasa's Kafka broker says when the variable is not set


class Place(NamedTuple):
    """An environment, and what it is called now."""

    pk: int
    name: str


class SourcePlaces:
    """By the source, `metadata.assistant_id` and the environment's name; as the database had it a moment ago.

    The metadata only chooses among the assistants that the source is bound to: whoever can write into a topic must not
    be able to put words into another assistant's conversations.
    """

    def __init__(self, source: IntakeSource) -> None:
        self.source_id: int = source.pk
        self._source = source
        self._assistants: dict[str, int] = {}
        self._environments: dict[tuple[int, str], int] = {}
        self._fresh_until = 0.0

    def refresh(self) -> None:
        """Two or three small queries, unless the last were just made."""
        if time.monotonic() < self._fresh_until:
            return
        bound = [self._source.assistant_id, *self._source.other_assistants.values_list("pk", flat=True)]
        self._assistants = _by_rasas_id(bound) if len(bound) > 1 else {}
        self._environments = {key: place.pk for key, place in environment_names(bound).items()}
        self._fresh_until = time.monotonic() + FRESH_SECONDS

    def binding(self, claimed: str, rasa_assistant_id: str) -> Binding:
        assistant_id = self._assistants.get(rasa_assistant_id, self._source.assistant_id)
        named = self._environments.get((assistant_id, claimed))
        if named is None and claimed in ("", NOT_SET) and assistant_id == self._source.assistant_id:
            named = self._source.environment_id
        return Binding(assistant_id, named, claimed)


def _by_rasas_id(assistants: list[int]) -> dict[str, int]:
    """The id that Rasa's config.yml gives an assistant, as its models say it; the earlier one of `assistants` wins."""
    models = Model.objects.filter(assistant__in=assistants).exclude(rasa_assistant_id="")
    found = set(models.values_list("rasa_assistant_id", "assistant_id").distinct())
    return dict(sorted(found, key=lambda one: -assistants.index(one[1])))


def environment_names(assistants: Iterable[int] | QuerySet[Assistant]) -> dict[tuple[int, str], Place]:
    """Environments by assistant and name: adopted names, former ones, and over them the names of today. One query."""
    among = assistants if isinstance(assistants, QuerySet) else set(assistants)
    streams = IntakeStream.objects.filter(assistant__in=among, adopted_by__removed_at=None).exclude(adopted_by=None)
    aliases = EnvironmentAlias.objects.filter(assistant__in=among)
    today = Environment.objects.current().filter(assistant__in=among)
    adopted = streams.values_list("assistant_id", "environment_name", "adopted_by_id", "adopted_by__name", Value(0))
    former = aliases.values_list("assistant_id", "name", "environment_id", "environment__name", Value(1))
    current = today.values_list("assistant_id", "name", "pk", "name", Value(2))
    rows = adopted.order_by().union(former.order_by(), current.order_by(), all=True)
    ranked = sorted(rows, key=lambda row: row[-1])
    return {(assistant_id, name): Place(pk, called) for assistant_id, name, pk, called, _ in ranked}
