"""Positions: whose batch counts, and from when on something is missing."""

import time

import pytest

from conversations.ingest import positions
from conversations.ingest.positions import Move, Partition, PositionMoved
from conversations.models import IntakeIncident, IntakePosition, IntakeSource
from tests.factories import make_assistant, source_of

pytestmark = pytest.mark.django_db
FIRST, SECOND = Partition("rasa", 0), Partition("rasa", 1)


@pytest.fixture
def source() -> IntakeSource:
    source = source_of(make_assistant())
    for partition in (FIRST, SECOND):
        assert positions.position_of(source.pk, partition, beginning=0).next_offset == 0
    return source


def test_a_batch_that_somebody_else_stored_is_refused(source: IntakeSource):
    positions.advance(source.pk, {FIRST: Move(0, 5, 9)})
    with pytest.raises(PositionMoved):
        positions.advance(source.pk, {FIRST: Move(0, 5, 9)})
    assert positions.position_of(source.pk, FIRST, beginning=0).next_offset == 5


def test_an_incident_begins_with_the_newest_event_of_its_own_partition(source: IntakeSource):
    """Another one may be days ahead."""
    positions.advance(source.pk, {FIRST: Move(0, 5, 5), SECOND: Move(0, 5, 5)}, {FIRST: 9000.0, SECOND: 100.0})
    positions.skip_gap(source.pk, SECOND, kind="overtaken", first=5, next=40)
    incident = IntakeIncident.objects.get()
    assert (incident.partition, incident.count, incident.since) == (1, 35, 100.0)


def test_an_incident_of_a_partition_that_brought_nothing_is_of_all_time(source: IntakeSource):
    positions.skip_gap(source.pk, FIRST, kind="overtaken", first=0, next=40)
    assert IntakeIncident.objects.get().since is None


def test_an_event_of_the_year_9999_does_not_move_the_beginning_of_what_is_missing(source: IntakeSource):
    positions.advance(source.pk, {FIRST: Move(0, 5, 5)}, {FIRST: 253_402_300_799.0})
    assert IntakePosition.objects.get(partition=0).event_at <= time.time()
