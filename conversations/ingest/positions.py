"""How far each partition was taken. Ours is the position that counts; the group's, in Kafka, is for other tools."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from conversations.models import IntakeIncident, IntakePosition


class Partition(NamedTuple):
    topic: str
    number: int


class Move(NamedTuple):
    """Everything from `first` up to, without, `next` was taken; the partition ends before `end`."""

    first: int
    next: int
    end: int


class PositionMoved(Exception):
    """Somebody else took a partition meanwhile; what we hold of it was stored by them, or will be."""


def position_of(source_id: int, partition: Partition, beginning: int) -> int:
    """The next offset to take; `beginning` for a partition that was never taken from."""
    row, _ = IntakePosition.objects.get_or_create(
        source_id=source_id,
        topic=partition.topic,
        partition=partition.number,
        defaults={"next_offset": beginning, "end_offset": beginning},
    )
    return row.next_offset


def advance(source_id: int, moves: Mapping[Partition, Move], newest: Mapping[Partition, float] | None = None) -> None:
    """In the transaction that stores the records, and last in it. PositionMoved undoes all of it.

    `newest` is Rasa's time of the newest event of each partition, as far as there was one.
    """
    for partition, move in sorted(moves.items()):
        row = IntakePosition.objects.filter(
            source_id=source_id, topic=partition.topic, partition=partition.number, next_offset=move.first
        )
        facts: dict[str, object] = {"next_offset": move.next, "end_offset": move.end, "moved_at": timezone.now()}
        if newest and partition in newest:
            facts["event_at"] = Greatest(F("event_at"), min(newest[partition], time.time()))
        if not row.update(**facts):
            raise PositionMoved(f"{partition.topic}/{partition.number} is no longer at {move.first}.")


def note_ends(source_id: int, ends: Mapping[Partition, int]) -> None:
    """Where partitions end now, from which the lag follows."""
    for partition, end in sorted(ends.items()):
        IntakePosition.objects.filter(source_id=source_id, topic=partition.topic, partition=partition.number).update(
            end_offset=end
        )


@transaction.atomic
def skip_gap(source_id: int, partition: Partition, *, kind: str, first: int, next: int) -> None:
    """Go on at `next`, because what stood at `first` is gone; what is missing becomes an incident. Once."""
    rows = IntakePosition.objects.filter(source_id=source_id, topic=partition.topic, partition=partition.number)
    if not rows.filter(next_offset=first).update(next_offset=next, moved_at=timezone.now()):
        raise PositionMoved(f"{partition.topic}/{partition.number} is no longer at {first}.")
    IntakeIncident.objects.create(
        source_id=source_id,
        kind=kind,
        topic=partition.topic,
        partition=partition.number,
        first_offset=first,
        end_offset=max(first, next),
        since=rows.values_list("event_at", flat=True).get(),
    )
