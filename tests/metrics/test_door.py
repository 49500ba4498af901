"""Who may read /metrics, and what the web counts of itself."""

import threading
import time

import pytest
from django.db import connection
from django.test import Client

from studio import env
from studio.metrics import door, readings

TOKEN = "a-token-of-32-letters-for-prometheus"


def get(client: Client, token: str = "", **extra: str):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.get("/metrics", headers=headers, **extra)


def test_without_a_setting_it_is_closed_and_says_what_to_set(client) -> None:
    response = get(client)
    assert response.status_code == 403
    assert "PARLEY_METRICS_TOKEN" in response.content.decode() and "PARLEY_METRICS_ALLOW" in response.content.decode()


def test_the_empty_token_opens_nothing(client, settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


@pytest.mark.django_db
def test_the_token_opens_it_and_no_other(client, settings, scraped) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert get(client, TOKEN).status_code == 200
    for wrong in ("", TOKEN[:-1], TOKEN + "x", "ü"):
        response = get(client, wrong)
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    basic = client.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"})
    assert basic.status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("10.2.0.1", 403), ("2001:db8::5", 200), ("2001:db9::5", 403)],
)
def test_an_allowed_address_needs_no_token(client, settings, scraped, address: str, status: int) -> None:
    settings.METRICS_TOKEN = ""
    settings.METRICS_ALLOW = env.networks("X", ["10.1.0.0/16", "2001:db8::/32"])
    assert get(client, REMOTE_ADDR=address).status_code == status


def test_an_address_that_a_caller_makes_up_counts_for_nothing(client, settings) -> None:
    settings.METRICS_ALLOW = env.networks("X", ["10.1.0.0/16"])
    response = client.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"}, REMOTE_ADDR="192.0.2.1")
    assert response.status_code == 403


def test_networks_that_are_none_stop_the_start() -> None:
    with pytest.raises(env.SettingError, match=r"PARLEY_METRICS_ALLOW: .*expected addresses or networks"):
        env.networks("PARLEY_METRICS_ALLOW", ["10.0.0.0/33"])


@pytest.mark.django_db
def test_prometheus_may_ask_by_an_address_that_nobody_listed(client, settings, scraped) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert get(client, TOKEN, HTTP_HOST="10.9.8.7:8000").status_code == 200


def test_only_reading_is_answered(client) -> None:
    assert client.post("/metrics").status_code == 405


@pytest.mark.django_db
def test_requests_are_counted_by_the_template_of_their_address(client, scraped) -> None:
    client.get("/healthz")
    client.get("/a/some-assistant/models/")
    client.get("/nothing/here/4711")
    client.generic("BREW", "/healthz")
    found = scraped()
    assert found["parley_http_requests_total{method=GET,route=/healthz,status=200}"] == 1
    assert found["parley_http_requests_total{method=other,route=/healthz,status=405}"] == 1
    assert found["parley_http_requests_total{method=GET,route=unmatched,status=404}"] == 1
    assert found["parley_http_request_duration_seconds_count{method=GET,route=/healthz}"] == 1
    assert [name for name in found if "requests_total" in name and ":slug>/models/" in name]
    assert not [name for name in found if "some-assistant" in name or "4711" in name]


@pytest.mark.django_db
def test_many_scrapes_cost_one(client, settings, scraped, monkeypatch) -> None:
    calls: list[int] = []
    monkeypatch.setitem(readings._readers, "counted", lambda: calls.append(1) or [])
    scraped()
    settings.METRICS_TOKEN = TOKEN
    for _ in range(20):
        assert get(client, TOKEN).status_code == 200
    assert len(calls) == 1


@pytest.mark.django_db
def test_a_part_that_cannot_be_read_is_said_and_takes_no_other_along(scraped, monkeypatch) -> None:
    def broken():
        connection.cursor().execute("SELECT nothing_of_that_name")

    monkeypatch.setitem(readings._readers, "broken", broken)
    found = scraped()
    assert found["parley_reader_up{reader=broken}"] == 0
    assert found["parley_reader_up{reader=processes}"] == 1


def test_a_database_that_does_not_answer_delays_nobody(monkeypatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(readings, "_read_all", lambda: hangs.wait(20) or [])
    monkeypatch.setattr(readings, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(readings, "_readers", {"slow": list})
    monkeypatch.setattr(readings, "kept", kept := readings._Kept())
    began = time.monotonic()
    try:
        assert [(one.family.name, one.value) for one in kept.get()] == [("parley_reader_up", 0)]
        assert time.monotonic() - began < 15
    finally:
        hangs.set()


@pytest.mark.django_db
def test_a_statement_that_takes_long_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(readings, "STATEMENT_MILLISECONDS", 100)

    def slow():
        connection.cursor().execute("SELECT pg_sleep(20)")

    began = time.monotonic()
    assert readings._read("slow", slow) is None
    assert time.monotonic() - began < 15


@pytest.mark.django_db
def test_an_error_of_ours_blinds_nobody(scraped, monkeypatch, caplog) -> None:
    monkeypatch.setitem(readings._readers, "wrong", lambda: [1 / 0])
    found = scraped()
    assert found["parley_reader_up{reader=wrong}"] == 0
    assert found["parley_reader_up{reader=processes}"] == 1
    assert "ZeroDivisionError" in caplog.text


def test_every_metric_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        readings.family("parley_jobs", "Something else.")
    assert door.names().keys() >= {"parley_jobs", "parley_http_requests_total"}


def test_what_comes_too_late_is_read_again(monkeypatch) -> None:
    goes_on, made = threading.Event(), iter(range(1, 9))

    def slow() -> list[readings.Reading]:
        number = next(made)
        goes_on.wait(20)
        return [readings.BUILD(number, "x")]

    monkeypatch.setattr(readings, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(readings, "_read_all", slow)
    kept = readings._Kept()
    assert readings.BUILD(1, "x") not in kept.get()
    assert readings.BUILD(1, "x") not in kept.get()  # it is not begun a second time
    coming = kept._coming
    goes_on.set()
    coming.result(20)
    monkeypatch.setattr(readings, "PATIENCE_SECONDS", 20)
    assert kept.get() == [readings.BUILD(2, "x")]
