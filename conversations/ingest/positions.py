"""How far each partition was taken. Ours is the position that counts; the group's, in Kafka, is for other tools."""

import time
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
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


def position_of(source_id: int, partition: Partition, beginning: int, topic_id: UUID | None = None) -> IntakePosition:
    """How far the partition was taken: to its `beginning` when never. `topic_id` is noted where none was known yet."""
    known = {"topic_id": topic_id} if topic_id else {}
    row, _ = IntakePosition.objects.get_or_create(
        source_id=source_id,
        topic=partition.topic,
        partition=partition.number,
        defaults={"next_offset": beginning, "end_offset": beginning, **known},
    )
    if row.topic_id is None and topic_id is not None:
        IntakePosition.objects.filter(pk=row.pk, topic_id=None).update(topic_id=topic_id)
        row.topic_id = topic_id
    return row


def advance(source_id: int, moves: Mapping[Partition, Move], newest: Mapping[Partition, float] | None = None) -> None:
    """In the transaction that stores the records, and last in it. PositionMoved undoes all of it.

    `newest` is Rasa's time of the newest event of each partition, as far as there was one.
    """
    for partition, move in sorted(moves.items()):
        row = _position(source_id, partition).filter(next_offset=move.first)
        facts: dict[str, object] = {"next_offset": move.next, "end_offset": move.end, "moved_at": timezone.now()}
        if newest and partition in newest:
            facts["event_at"] = Greatest(F("event_at"), min(newest[partition], time.time()))
        if not row.update(**facts):
            raise PositionMoved(f"{partition.topic}/{partition.number} is no longer at {move.first}.")


def note_ends(source_id: int, ends: Mapping[Partition, int]) -> None:
    """Where partitions end now, from which the lag follows."""
    for partition, end in sorted(ends.items()):
        _position(source_id, partition).update(end_offset=end)


@transaction.atomic
def skip_gap(
    source_id: int, partition: Partition, *, kind: str, first: int, next: int, topic_id: UUID | None = None
) -> None:
    """Go on at `next`, because what stood at `first` is gone; what is missing becomes an incident. Once."""
    facts: dict[str, object] = {"next_offset": next, "moved_at": timezone.now()}
    if topic_id is not None:
        facts["topic_id"] = topic_id
    if not _position(source_id, partition).filter(next_offset=first).update(**facts):
        raise PositionMoved(f"{partition.topic}/{partition.number} is no longer at {first}.")
    note_missing(source_id, partition, kind=kind, first=first, end=max(first, next))


def note_missing(source_id: int, partition: Partition, *, kind: str, first: int, end: int) -> None:
    """An incident, in the caller's transaction and before the position moves: it begins with what came before it."""
    IntakeIncident.objects.create(
        source_id=source_id,
        kind=kind,
        topic=partition.topic,
        partition=partition.number,
        first_offset=first,
        end_offset=end,
        since=_position(source_id, partition).values_list("event_at", flat=True).first(),
    )


def _position(source_id: int, partition: Partition) -> QuerySet[IntakePosition]:
    return IntakePosition.objects.filter(source_id=source_id, topic=partition.topic, partition=partition.number)
