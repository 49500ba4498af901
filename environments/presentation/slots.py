"""How a slot is, for people."""

import statistics
from dataclasses import dataclass

from django.utils import timezone

from environments.models import Slot
from environments.services import slots
from models_app.models import Model
from studio.jobs import heartbeat
from studio.web.formats import duration

State = Slot.State
REMEMBERED = 10  # starts that tell how long one takes


@dataclass(frozen=True, slots=True)
class SlotState:
    """`percent` of a start, from how long starts took before; None when it is not known."""

    percent: int | None = None
    usual_seconds: int | None = None
    place: int | None = None  # in line
    workers: int = 0

    @property
    def usual_words(self) -> str:
        return duration(self.usual_seconds) if self.usual_seconds else ""

    @property
    def place_words(self) -> str:
        return str(self.place)

    @property
    def workers_words(self) -> str:
        return "the only slot is in use" if self.workers == 1 else f"all {self.workers} slots are in use"

    @property
    def nobody_works(self) -> bool:
        return self.workers == 0


def state_of(slot: Slot, model: Model) -> SlotState:
    workers = heartbeat.live(slots.WORKER)
    if slot.state == State.WAITING:
        return SlotState(place=slots.place_in_line(slot), workers=workers)
    if slot.state != State.STARTING:
        return SlotState(workers=workers)
    usual = usual_seconds(model)
    percent = None
    if usual and slot.started_at is not None:
        passed = (timezone.now() - slot.started_at).total_seconds()
        percent = min(95, round(100 * passed / usual))
    return SlotState(percent, round(usual) if usual else None, workers=workers)


def usual_seconds(model: Model) -> float | None:
    """Half of the last starts of this model, else of its assistant's models, took less."""
    started = Slot.objects.filter(ready_at__isnull=False, started_at__isnull=False, deaths=0)
    for rows in (started.filter(model=model), started.filter(model__assistant=model.assistant_id)):
        times = list(rows.values_list("started_at", "ready_at")[:REMEMBERED])
        if times:
            return statistics.median((ready - began).total_seconds() for began, ready in times if ready and began)
    return None
