"""Files, numbers, deletions and retention by the API."""

import json

import pytest

from conversations.models import Conversation, ErasureRun, ExportRun, RetentionRule
from conversations.services import erasure_runs, export_runs, retention
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.conversations.api import Api, api_of
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
START = 1_790_000_000.0


@pytest.fixture(autouse=True)
def _empty(redis_client, settings, tmp_path) -> None:
    settings.ARTIFACTS_DIR = tmp_path


@pytest.fixture
def cafe() -> Assistant:
    cafe = make_assistant("cafe")
    store_events(environment_of(cafe), *small_talk(START), *small_talk(START + 5, "bob"))
    store_events(environment_of(cafe, "worker"), *small_talk(START, "wim"))
    return cafe


@pytest.fixture
def api(cafe) -> Api:
    return api_of()


def lines(answer) -> list[dict]:
    return [json.loads(line) for line in answer.getvalue().splitlines()]


def test_few_conversations_are_sent_at_once(api) -> None:
    answer = api.get("/projects/cafe/conversations/export?environment=production&text=hi")
    assert answer["Content-Type"] == "application/x-ndjson"
    assert [one["sender_id"] for one in lines(answer)] == ["bob", "anna"]
    table = api.get("/projects/cafe/conversations/export?format=csv")
    assert table.getvalue().startswith(b"conversation,sender_id,")
    assert AuditEvent.objects.filter(action=Action.CONVERSATIONS_EXPORTED).count() == 2


def test_many_are_prepared_and_asked_for_again_they_are_the_same(api, monkeypatch) -> None:
    monkeypatch.setattr(export_runs, "AT_ONCE", 2)
    answer = api.get("/projects/cafe/conversations/export?format=conversations")
    run = ExportRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/projects/cafe/exports/{run.pk}")
    assert answer.json() == {
        "number": run.pk,
        "state": "waiting",
        "format": "conversations",
        "filter": "",
        "total": 0,
        "done": 0,
        "message": "",
        "size": 0,
        "sha256": "",
        "file": None,
        "requested_at": run.requested_at.timestamp(),
        "ended_at": None,
        "expires_at": None,
    }
    assert api.get(f"/projects/cafe/exports/{run.pk}/file").status_code == 404
    export_runs.work(run.pk)
    again = api.get("/projects/cafe/conversations/export?format=conversations").json()
    assert (again["number"], again["state"], again["total"]) == (run.pk, "done", 3)
    file = api.get(again["file"].removeprefix("/api"))
    assert file.getvalue().count(b"\n") == 4
    assert [one["number"] for one in api.get("/projects/cafe/exports").json()] == [run.pk]
    assert api_of().get(f"/projects/cafe/exports/{run.pk}").status_code == 404
    assert api.delete(f"/projects/cafe/exports/{run.pk}").status_code == 204
    assert api.get(f"/projects/cafe/exports/{run.pk}").json()["state"] == "expired"
    assert api.delete(f"/projects/cafe/exports/{run.pk}").status_code == 409


def test_a_file_can_be_asked_for_however_few_they_are(api) -> None:
    body = {"format": "jsonl", "filters": {"environment": "worker", "minimumUserMessages": "1"}}
    answer = api.post("/projects/cafe/conversations/export", body)
    assert (answer.status_code, answer.json()["filter"]) == (202, "environment=worker&at_least=1")
    export_runs.work(answer.json()["number"])
    file = api.get(f"{answer['Location'].removeprefix('/api')}/file")
    assert [one["sender_id"] for one in lines(file)] == ["wim"]


@pytest.mark.parametrize("query", ["format=xml", "environmnt=worker", "start=5", "environment=none"])
def test_what_chooses_nothing_known_is_refused(api, query) -> None:
    assert api.get(f"/projects/cafe/conversations/export?{query}").status_code == 422
    assert not AuditEvent.objects.filter(action=Action.CONVERSATIONS_EXPORTED).exists()


def test_the_numbers_are_those_of_the_page(api, cafe) -> None:
    answer = api.get("/projects/cafe/analytics?range=own&since=2026-09-21&until=2026-09-21&by=environment").json()
    assert (answer["unit"], answer["by"], len(answer["points"])) == ("hour", "environment", 24)
    assert answer["total"] == {
        "conversations": 3,
        "user_messages": 3,
        "bot_messages": 3,
        "sessions": 3,
        "handed_over": 0,
        "rejected_actions": 0,
        "not_understood": 0,
        "not_understood_share": 0.0,
        "confidence_mean": pytest.approx(0.97),
        "unsure_share": 0.0,
        "replies": 3,
        "reply_mean_seconds": pytest.approx(0.2),
        "reply_median_seconds": pytest.approx(0.175),
        "reply_p95_seconds": pytest.approx(0.2425),
    }
    assert [(one["name"], one["numbers"]["conversations"]) for one in answer["parts"]] == [
        ("production", 2),
        ("worker", 1),
    ]
    assert answer["intents"] == [{"name": "greet", "count": 3, "before": 0, "share": 1.0}]
    worker = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    day = "range=own&since=2026-09-21&until=2026-09-21"
    assert worker.get(f"/projects/cafe/analytics?{day}").json()["total"]["conversations"] == 1
    assert api.get("/projects/cafe/analytics?range=forever").status_code == 422
    assert api_of("tester").get("/projects/cafe/analytics").status_code == 403


def test_a_conversation_is_deleted_for_good(api, cafe) -> None:
    assert api.delete("/projects/cafe/conversations/anna").status_code == 204
    assert api.get("/projects/cafe/conversations/anna").status_code == 404
    assert AuditEvent.objects.filter(action=Action.CONVERSATION_ERASED).count() == 1
    assert api_of("annotator").delete("/projects/cafe/conversations/bob").status_code == 403
    assert Conversation.objects.count() == 2


def test_many_are_counted_confirmed_and_deleted(api) -> None:
    counted = api.post("/projects/cafe/deletions", {"filters": {"environment": "production"}})
    assert (counted.status_code, counted.json()["state"]) == (202, "counting")
    path = counted["Location"].removeprefix("/api")
    erasure_runs.work(counted.json()["number"])
    seen = api.get(path).json()
    assert (seen["state"], seen["total"], seen["events_total"], seen["sample"]) == ("counted", 2, 16, ["bob", "anna"])
    assert api.post(f"{path}/confirm", {"conversations": 3}).status_code == 409
    assert api.post(f"{path}/confirm", {"conversations": 2}).status_code == 202
    erasure_runs.work(counted.json()["number"])
    assert api.get(path).json()["conversations"] == 2
    assert list(Conversation.objects.values_list("sender_id", flat=True)) == ["wim"]
    assert api.post(f"{path}/confirm", {"conversations": 2}).status_code == 409
    assert api.delete(path).status_code == 409
    assert [one["state"] for one in api.get("/projects/cafe/deletions").json()] == ["done"]


@pytest.mark.parametrize("body", [{}, {"filters": {"environmnt": "worker"}}, {"filters": {"start": "5"}}])
def test_a_mistyped_filter_counts_nothing(api, body) -> None:
    assert api.post("/projects/cafe/deletions", body).status_code == 422
    assert not ErasureRun.objects.exists()


def test_retention_rules_are_kept_tried_and_removed(api, cafe) -> None:
    made = api.post("/projects/cafe/retention", {"environment": "worker", "days": 30})
    rule = RetentionRule.objects.get()
    assert (made.status_code, made.json()) == (
        201,
        {
            "number": rule.pk,
            "environment": "worker",
            "days": 30,
            "is_on": False,
            "due": 1,
            "last_run_at": None,
            "changed_at": rule.changed_at.timestamp(),
        },
    )
    path = f"/projects/cafe/retention/{rule.pk}"
    assert api.put(path, {"is_on": True}).json()["is_on"] is True
    assert api.put(path, {"days": 10}).json()["days"] == 10
    assert api.get("/projects/cafe/retention").json() == [api.get(path).json()]
    assert api.post("/projects/cafe/retention", {"environment": "worker", "days": 1}).status_code == 409
    assert api.post("/projects/cafe/retention", {"environment": "none", "days": 1}).status_code == 422
    assert api.post("/projects/cafe/retention", {"days": 0}).status_code == 422
    dry = api.post(f"{path}/dry-run")
    assert (dry.status_code, dry.json()["older_than_days"], dry.json()["environment"]) == (202, 10, "worker")
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404
    assert AuditEvent.objects.filter(action=Action.RETENTION_CHANGED).count() == 4
    assert api_of("annotator").get("/projects/cafe/retention").status_code == 403


def test_a_rule_is_changed_and_switched_or_neither(api, monkeypatch) -> None:
    made = api.post("/projects/cafe/retention", {"environment": "worker", "days": 30}).json()

    def refuse(**_: object) -> None:
        raise Conflict("Somebody removed this rule meanwhile.")

    monkeypatch.setattr(retention, "switch_rule", refuse)
    path = f"/projects/cafe/retention/{made['number']}"
    assert api.put(path, {"days": 1, "is_on": True}).status_code == 409
    assert api.get(path).json()["days"] == 30
