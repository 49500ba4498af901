"""What came under which name of an environment, read once for all that a page says of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import QuerySet

from conversations.ingest.places import Place, environment_names
from conversations.models import IntakeStream
from models_app.models import Assistant


@dataclass(frozen=True, slots=True)
class Streams:
    """Of some assistants. `rows` have their assistants, their sources, removed ones too, and whoever adopted them."""

    rows: Sequence[IntakeStream]
    names: Mapping[tuple[int, str], Place]  # by assistant and name

    @classmethod
    def of(cls, assistants: Iterable[int] | QuerySet[Assistant]) -> Self:
        """Two queries. The assistants, or their primary keys."""
        among = assistants if isinstance(assistants, QuerySet) else set(assistants)
        rows = IntakeStream.objects.filter(assistant__in=among).select_related("source", "assistant", "adopted_by")
        return cls(list(rows), environment_names(among))

    @property
    def in_use(self) -> list[IntakeStream]:
        """Those of sources that are there still."""
        return [one for one in self.rows if one.source.removed_at is None]

    def place_of(self, stream: IntakeStream) -> Place | None:
        return self.names.get((stream.assistant_id, stream.environment_name))
