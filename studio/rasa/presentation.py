"""The Rasa versions of this installation as their page and the terminal show them."""

from dataclasses import dataclass

from django.conf import settings

from studio.rasa.models import RasaRuntime
from studio.rasa.services import in_order, why_kept_by
from studio.rasa.uses import Use, models_by_version, uses_of_all
from studio.web import formats

State = RasaRuntime.State
SHOWN = 5  # of what uses a version
UNDER_WAY = frozenset({State.WANTED, State.INSTALLING, State.REMOVING})
_WORDS = {
    State.MISSING: ("silent", "Not installed"),
    State.WANTED: ("busy", "Waiting"),
    State.INSTALLING: ("busy", "Installing"),
    State.READY: ("running", "Ready"),
    State.FAILED: ("failed", "Failed"),
    State.REMOVING: ("busy", "Removing"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One Rasa. `kept` says why it may not be removed, and is empty when it may."""

    row: RasaRuntime
    uses: list[Use]
    models: int
    kept: str

    @property
    def status(self) -> str:
        return _WORDS[State(self.row.state)][0]

    @property
    def word(self) -> str:
        if self.row.own and self.row.state == State.INSTALLING:
            return "Being asked"
        return _WORDS[State(self.row.state)][1]

    @property
    def under_way(self) -> bool:
        return self.row.state in UNDER_WAY

    @property
    def is_default(self) -> bool:
        return self.row.version == settings.RASA_VERSION

    @property
    def shown(self) -> list[Use]:
        return self.uses[:SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self.uses) - SHOWN)

    @property
    def percent(self) -> int | None:
        return int(100 * self.row.done / self.row.total) if self.row.total else None

    @property
    def headline(self) -> str:
        return self.row.message.partition("\n")[0]

    @property
    def details(self) -> str:
        return self.row.message.partition("\n")[2]


def lines() -> list[Line]:
    uses, models = uses_of_all(), models_by_version()
    return [
        Line(
            row,
            uses.get(row.version, []),
            models.get(row.release or row.version, 0),
            why_kept_by(row, uses.get(row.version, [])),
        )
        for row in in_order(RasaRuntime.objects.all())
    ]


def what_becomes_free(row: RasaRuntime) -> str:
    """For the confirmation: what is shared with others stays."""
    if row.size is None or row.freed is None:
        return "How many bytes that frees is not measured yet."
    if row.size - row.freed < row.size // 100:
        return f"That frees {formats.size(row.freed)}."
    return (
        f"That frees {formats.size(row.freed)}. The other {formats.size(row.size - row.freed)} of its files are shared "
        "with another version or with the cache of uv (“uv cache clean” empties it), and stay."
    )
