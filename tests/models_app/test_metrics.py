"""What /metrics tells of trainings."""

from datetime import timedelta

import pytest
from django.utils import timezone

from models_app import metrics
from models_app.models import Revision, TrainingJob
from studio.metrics import jobs
from tests.factories import make_assistant

pytestmark = pytest.mark.django_db


@pytest.fixture
def revision() -> Revision:
    return Revision.objects.create(assistant=make_assistant(), number=1)


def job(revision: Revision, number: int, state: str, kind: str = "training", *, minutes: int = 0) -> None:
    made = TrainingJob.objects.create(
        assistant=revision.assistant, revision=revision, number=number, state=state, kind=kind
    )
    TrainingJob.objects.filter(pk=made.pk).update(requested_at=timezone.now() - timedelta(minutes=minutes))


def test_what_waits_is_told_with_the_age_of_the_oldest(revision) -> None:
    job(revision, 1, "queued", minutes=30)
    job(revision, 2, "queued", minutes=5)
    job(revision, 3, "training")
    job(revision, 4, "queued", "validation")
    job(revision, 5, "done", minutes=90)
    found = {(one.family.name, *one.labels): one.value for one in jobs._jobs()}
    assert found["parley_jobs", "training", "queued"] == 2
    assert found["parley_jobs", "training", "training"] == found["parley_jobs", "validation", "queued"] == 1
    assert 1790 < found["parley_job_oldest_seconds", "training", "queued"] < 1830
    assert found["parley_job_oldest_seconds", "test", "queued"] == 0
    assert ("parley_jobs", "training", "done") not in found


def test_what_ended_is_counted_for_good(revision) -> None:
    for number, state in enumerate(["done", "done", "failed", "lost"]):
        job(revision, number, state)
    found = {one.labels: one.value for one in metrics.ended_jobs()}
    assert (found["training", "done"], found["training", "failed"], found["training", "lost"]) == (2, 1, 1)
    assert found["test", "failed"] == 0
