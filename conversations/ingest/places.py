"""Where the events of a source with several environments belong."""

import time
from collections.abc import Iterable

from conversations.ingest.records import Binding
from conversations.models import IntakeSource, IntakeStream
from environments.models import Environment, EnvironmentAlias
from models_app.models import Model

FRESH_SECONDS = 2.0
NOT_SET = "RASA_ENVIRONMENT_NOT_SET"  # what Rasa's Kafka broker says when the variable is not set

_KEY = "assistant_id", "name"


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
        """Three or four small queries, unless the last were just made."""
        if time.monotonic() < self._fresh_until:
            return
        bound = [self._source.assistant_id, *self._source.other_assistants.values_list("pk", flat=True)]
        self._assistants = _by_rasas_id(bound) if len(bound) > 1 else {}
        self._environments = environment_names(bound)
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


def environment_names(assistants: Iterable[int]) -> dict[tuple[int, str], int]:
    """Environments by assistant and name: adopted names, former ones, and over them the names of today."""
    among = set(assistants)
    former = EnvironmentAlias.objects.filter(assistant__in=among).values_list(*_KEY, "environment_id")
    current = Environment.objects.current().filter(assistant__in=among).values_list(*_KEY, "pk")
    return {(assistant_id, name): pk for assistant_id, name, pk in [*adopted_names(among), *former, *current]}


def adopted_names(assistants: Iterable[int]) -> list[tuple[int, str, int]]:
    """Assistant, name, and the environment that took it over."""
    streams = IntakeStream.objects.filter(assistant__in=set(assistants), adopted_by__removed_at=None)
    return list(streams.exclude(adopted_by=None).values_list("assistant_id", "environment_name", "adopted_by_id"))
