"""What the doctor says of a Kafka that answers and has not the topic; tests/stack/test_doctor.py asks a real one."""

import pytest

from conversations.examinations import _of_source
from conversations.ingest.kafka_check import Checked, missing, of_people
from conversations.models import IntakeSource
from studio.doctor import Status


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (set(), "There is no topic rasa yet. Rasa’s first event makes it where Kafka allows that."),
        ({"__consumer_offsets"}, "There is no topic rasa yet. Rasa’s first event makes it where Kafka allows that."),
        ({"orders", "__consumer_offsets"}, "There is no topic rasa. There are orders."),
    ],
)
def test_what_kafka_makes_for_itself_is_no_topic_that_somebody_meant(names: set[str], problem: str) -> None:
    assert missing("rasa", of_people(names)) == problem


@pytest.mark.parametrize(("is_new", "status"), [(True, Status.WARN), (False, Status.FAIL)])
def test_a_kafka_that_nobody_has_written_to_yet_is_no_failure(is_new: bool, status: Status) -> None:
    (found,) = _of_source(IntakeSource(name="Kafka"), Checked(problem="There is no topic yet.", is_new=is_new))
    assert found.status == status
