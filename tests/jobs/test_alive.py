"""What health checks of containers ask."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from studio.jobs import alive, heartbeat
from studio.jobs.models import Heartbeat

# It asks by a connection of its own, which sees what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ask(monkeypatch):
    ours = connection.settings_dict
    url = f"postgresql://{ours['USER']}:{ours['PASSWORD']}@/{ours['NAME']}?host={ours['HOST']}&port={ours['PORT']}"
    monkeypatch.setenv("DATABASE_URL", url)

    def ask(kind: str) -> int:
        monkeypatch.setattr("sys.argv", ["alive", kind])
        return alive.main()

    return ask


def test_one_that_beats_lives(ask) -> None:
    heartbeat.beat("ingest")
    assert ask("ingest") == 0


def test_one_of_another_kind_or_machine_does_not_count(ask, capsys) -> None:
    heartbeat.beat("ingest")
    Heartbeat.objects.create(kind="schedule", name="elsewhere:7", started_at=timezone.now(), at=timezone.now())
    assert ask("schedule") == 1
    assert "schedule: never" in capsys.readouterr().err


def test_one_that_fell_silent_does_not_live(ask, capsys) -> None:
    heartbeat.beat("ingest")
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=90))
    assert ask("ingest") == 1
    assert "ingest: 90 s ago" in capsys.readouterr().err


def test_a_database_that_is_away_is_said_and_ends_nobody(ask, monkeypatch, capsys) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    assert ask("ingest") == 0
    assert "The database does not say" in capsys.readouterr().err
