"""What `/readyz` says of managed servers."""

import pytest

from environments.health import environments_part
from environments.models import ManagedServer
from environments.services.managed import run_here, stop_server
from studio import health
from studio.health import Part
from studio.jobs.heartbeat import beat
from tests.factories import environment_of, make_assistant

pytestmark = pytest.mark.django_db


def test_without_a_controller_nobody_looks_after_servers() -> None:
    assert "No controller" in environments_part().message


def test_a_server_that_should_run_and_does_not_is_counted_and_not_named() -> None:
    """Whoever asks has not signed in."""
    beat("controller")
    environment = environment_of(make_assistant("shop"))
    run_here(actor=None, environment=environment)
    ManagedServer.objects.update(message="It starts as soon as a model is promoted.")
    assert environments_part() == Part(
        "degraded", "0 of 1 managed servers run.", "The page of each environment has its log."
    )


def test_running_and_stopped_servers_are_fine() -> None:
    beat("controller")
    assistant = make_assistant()
    run_here(actor=None, environment=environment_of(assistant))
    ManagedServer.objects.update(state=ManagedServer.State.RUNNING)
    worker = environment_of(assistant, "worker")
    run_here(actor=None, environment=worker)
    stop_server(actor=None, environment=worker)
    assert environments_part() == Part("ok", "1 managed server runs.")


def test_readyz_stays_in_service_without_rasa(client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert {"rasa", "environments"} <= answer.json()["parts"].keys()


def test_a_part_that_breaks_takes_no_other_with_it_and_its_words_stay_here(client, monkeypatch) -> None:
    def broken() -> Part:
        raise OSError("cannot read /srv/parley/of-ours")

    monkeypatch.setitem(health._parts, "broken", broken)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["parts"]["broken"] == {"status": "degraded", "message": "Could not be asked."}
    assert "rasa" in response.json()["parts"]
