"""What the doctor says of a Kafka that answers and has not the topic; tests/stack/test_doctor.py asks a real one."""

import pytest

from conversations.examinations import _of_source
from conversations.ingest.kafka_check import Checked, _missing
from conversations.models import IntakeSource
from studio.doctor import Status


@pytest.mark.parametrize(("there", "is_awaited"), [(set(), True), ({"__consumer_offsets"}, True), ({"orders"}, False)])
def test_a_topic_is_awaited_while_nobody_has_written_anything(there: set[str], is_awaited: bool) -> None:
    found = _missing("rasa", there)
    assert found.is_awaited == is_awaited
    assert "There is no topic rasa" in found.problem


@pytest.mark.parametrize(("is_new", "status"), [(True, Status.WARN), (False, Status.FAIL)])
def test_a_kafka_that_nobody_has_written_to_yet_is_no_failure(is_new: bool, status: Status) -> None:
    (found,) = _of_source(IntakeSource(name="Kafka"), Checked(problem="There is no topic yet.", is_new=is_new))
    assert found.status == status
