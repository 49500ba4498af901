"""How a slot is, for people."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from environments.models import Slot
from environments.services import slots
from environments.serving.memory import available
from models_app.models import Assistant, Model, TrainingJob
from studio.jobs import heartbeat
from studio.web.formats import duration

State = Slot.State
REMEMBERED = 10  # starts that tell how long one takes
ENDED = 20  # of the last are listed
OFTEN = timedelta(days=7)
OFTEN_TRAINED = 10  # trainings of people within OFTEN


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


@dataclass(frozen=True, slots=True)
class Row:
    """One slot of the list. `is_used`: somebody said something within the last minutes."""

    slot: Slot
    is_used: bool
    place: int | None = None

    @property
    def word(self) -> str:
        if self.place is not None:
            return f"In line, place {self.place}"
        return self.slot.get_state_display()

    @property
    def seconds_to_start(self) -> float | None:
        slot = self.slot
        return (slot.ready_at - slot.started_at).total_seconds() if slot.ready_at and slot.started_at else None


def rows(found: Iterable[Slot]) -> list[Row]:
    quiet, listed = timezone.now() - slots.IN_USE, list(found)
    places = slots.places_in_line() if any(slot.state == State.WAITING for slot in listed) else {}
    return [
        Row(
            slot,
            is_used=slot.state == State.RUNNING and slot.used_at is not None and slot.used_at > quiet,
            place=places.get(slot.pk),
        )
        for slot in listed
    ]


@dataclass(frozen=True, slots=True)
class House:
    """The running service of the whole installation. Memory is this machine's, in bytes."""

    workers: int
    busy: int
    assistants: int
    trains_often: bool
    memory: int
    free_memory: int | None

    @property
    def recommended(self) -> int:
        """One for each assistant and one to change over; twice that where people train often."""
        return (self.assistants + 1) * (2 if self.trains_often else 1)


def house() -> House:
    often = TrainingJob.objects.trainings().filter(
        priority=TrainingJob.Priority.PERSON, requested_at__gt=timezone.now() - OFTEN
    )
    held = list(Slot.objects.filter(state__in=Slot.HELD).values_list("memory", flat=True))
    return House(
        workers=heartbeat.live(slots.WORKER),
        busy=len(held),
        assistants=Assistant.objects.current().count(),
        trains_often=often.count() > OFTEN_TRAINED,
        memory=sum(one or 0 for one in held),
        free_memory=available(),
    )
