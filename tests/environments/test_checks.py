from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import Environment, Replica
from environments.services import arrivals
from environments.services.arrivals import Arrivals
from environments.services.checks import Check, check_facts, check_server
from environments.services.environments import update_environment
from environments.services.overview import overview
from studio.crypto import encrypt
from tests.environments.polling import Poller
from tests.factories import make_model
from tests.rasa.servers import Reply, Seen, SmallServer

VERSION = {"version": "3.6.21", "minimum_compatible_version": "3.5.0"}
STATUS = {"model_file": "otter.tar.gz", "model_id": "1", "num_active_training_jobs": 0}


@pytest.fixture
def server() -> Iterator[SmallServer]:
    """Answers as a secured Rasa with a chat channel; its token is `secret`."""

    def status(seen: Seen) -> Reply:
        return Reply(200, STATUS) if seen.query.get("token") == "secret" else Reply(401, "")

    small = SmallServer()
    small.replies = {
        "/version": Reply(200, VERSION),
        "/status": status,
        "/webhooks/rasa/": Reply(200, {"status": "ok"}),
    }
    yield small
    small.close()


@pytest.fixture
def connected(production: Environment, server: SmallServer) -> Environment:
    return connect(production, server.url, "secret")


def connect(environment: Environment, url: str, token: str) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(
        kind="connected", url=url, server_token_encrypted=encrypt(token)
    )
    environment.refresh_from_db()
    return environment


def words(checks: list[Check]) -> dict[str, str]:
    return {check.word: check.status for check in checks}


def test_a_server_that_is_right_is_green_and_its_version_is_kept(connected: Environment):
    assert set(words(check_server(connected)).values()) == {"running"}
    connected.refresh_from_db()
    assert (connected.server_version, connected.server_minimum_version) == ("3.6.21", "3.5.0")


def test_a_server_that_answers_without_a_token_is_unsecured(connected: Environment, server: SmallServer):
    server.replies["/status"] = Reply(200, STATUS)
    checks = check_server(connected)
    assert words(checks)["Unsecured"] == "failed"
    assert any("--auth-token" in check.line for check in checks)


def test_a_wrong_token_has_its_own_words(connected: Environment, server: SmallServer):
    assert words(check_server(connect(connected, server.url, "wrong")))["Wrong token"] == "failed"


def test_a_missing_channel_comes_with_the_lines_to_add(connected: Environment, server: SmallServer):
    del server.replies["/webhooks/rasa/"]
    missing = next(check for check in check_server(connected) if check.word == "No chat channel")
    assert missing.status == "failed"
    assert "/api/projects/default/environments/production" in missing.line


@pytest.mark.parametrize(
    ("path", "reply", "word"),
    [("/version", Reply(404, ""), "Not Rasa"), ("/version", Reply(500, ""), "Server error")],
)
def test_an_answer_that_is_not_rasas_is_told_apart(
    connected: Environment, server: SmallServer, path: str, reply: Reply, word: str
):
    server.replies[path] = reply
    assert words(check_server(connected)) == {word: "failed"}


def test_nothing_listening_and_a_wrong_address_are_told_apart(production: Environment):
    assert words(check_server(connect(production, "http://127.0.0.1:9", ""))) == {"Refused": "failed"}
    assert words(check_server(connect(production, "http://no-such-host.invalid", ""))) == {"Wrong address": "failed"}


def test_an_environment_without_a_server_is_grey(production: Environment):
    assert words(check_server(production)) == {"No server": "silent"}


# --- What has arrived -------------------------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch) -> Iterator[dict[int, Arrivals]]:
    found: dict[int, Arrivals] = {}
    monkeypatch.setattr(arrivals, "_sources", [lambda _rows: found])
    yield found


def facts(environment: Environment) -> dict[str, str]:
    rows = list(Replica.objects.filter(environment=environment))
    environment = Environment.objects.select_related("assistant", "tag__model").get(pk=environment.pk)
    return words(check_facts(overview(environment), rows))


def test_polls_turn_green_and_a_server_that_fell_silent_red(production: Environment, seen):
    assert facts(production)["No polls yet"] == "silent"
    replica = Replica.objects.create(environment=production, key="rasa-1", named=True, last_seen_at=timezone.now())
    assert facts(production)["Polls"] == "running"
    replica.last_seen_at -= timedelta(hours=1)
    replica.save()
    assert facts(production)["Silent"] == "failed"


def test_an_unnamed_server_is_worth_a_warning(production: Environment, seen):
    Replica.objects.create(environment=production, key="10.0.0.7", named=False, last_seen_at=timezone.now())
    assert facts(production)["Unnamed"] == "warning"


def test_a_server_that_does_not_say_its_environment_gets_the_line_to_set(production: Environment, seen):
    Environment.objects.filter(pk=production.pk).update(kind=Environment.Kind.CONNECTED, url="http://rasa.example:5005")
    replica = Replica.objects.create(environment=production, key="rasa-1", named=True, last_seen_at=timezone.now())
    assert facts(production)["Name unknown"] == "warning"

    replica.claims = "production"
    replica.save()

    assert "Name unknown" not in facts(production)


def test_the_right_model_is_green_once_every_server_runs_it(production, assistant, promote_to_production, poller, seen):
    promote_to_production(make_model(assistant, "otter"))
    poller.poll()
    assert "Right model" not in facts(production)
    poller.poll()
    assert facts(production)["Right model"] == "running"


def test_events_are_green_under_this_name_and_red_under_another(production: Environment, seen):
    assert facts(production)["No events yet"] == "silent"
    seen[production.pk] = Arrivals(strangers=("RASA_ENVIRONMENT_NOT_SET",))
    assert facts(production)["Another name"] == "failed"
    seen[production.pk] = Arrivals(dead="4 dead letters")
    assert facts(production)["4 dead letters"] == "warning"
    seen[production.pk] = Arrivals(last_at=timezone.now())
    assert facts(production)["Events"] == "running"
    seen[production.pk] = Arrivals(last_at=timezone.now(), missing_since=timezone.now())
    assert facts(production)["Events missing"] == "failed"
    seen[production.pk] = Arrivals(last_at=timezone.now(), error="The table is gone.")
    assert facts(production)["Events fail"] == "failed"


@pytest.mark.parametrize(("claims", "word"), [("qa", "Another name"), ("production", "Events"), ("${X}", "Events")])
def test_a_server_tells_under_which_name_its_events_go_out(production: Environment, poller, seen, claims, word):
    seen[production.pk] = Arrivals(last_at=timezone.now())
    poller.claims = claims

    poller.poll()

    assert word in facts(production)


def test_a_corrected_name_is_green_at_the_next_poll(production: Environment, poller, seen):
    seen[production.pk] = Arrivals(last_at=timezone.now())
    poller.claims = "qa"
    for _ in range(2):
        poller.poll()
    poller.claims = "production"
    poller.poll()

    assert "Events" in facts(production)


def test_after_a_renaming_the_former_name_is_worth_a_warning(client, production: Environment, seen):
    seen[production.pk] = Arrivals(last_at=timezone.now())
    update_environment(actor=None, environment=production, name="live")
    production.refresh_from_db()

    Poller(client, production, "rasa-1", claims="production").poll()

    found = facts(production)
    assert found["Former name"] == "warning"
    assert "Another name" not in found


def test_events_that_nobody_takes_are_red(production: Environment, seen):
    seen[production.pk] = Arrivals(last_at=timezone.now(), is_taken=False)
    assert facts(production)["Not taken"] == "failed"


def test_events_by_kafka_say_under_which_names_they_come_and_how_many_wait(production: Environment, seen):
    seen[production.pk] = Arrivals(last_at=timezone.now(), names=("abroad", "production"))
    (text,) = [one.text for one in check_facts(overview(production), []) if one.word == "Events"]
    assert text.endswith("abroad, production.")
    seen[production.pk] = Arrivals(last_at=timezone.now(), lag=1200)
    assert words(check_facts(overview(production), []))["Catching up"] == "busy"
