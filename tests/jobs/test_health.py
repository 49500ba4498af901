"""What `/readyz` says of the schedule and of background workers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from studio.jobs.heartbeat import beat
from studio.jobs.models import Heartbeat

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("part", "kind"), [("schedule", "schedule"), ("background worker", "background-worker")])
def test_a_process_that_hangs_is_told_and_takes_no_web_out_of_service(client, part: str, kind: str) -> None:
    beat(kind)
    assert client.get("/readyz").json()["parts"][part]["status"] == "ok"
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=1))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["parts"][part]["status"] == "degraded"
