"""/api/audit: what its page shows, for programs."""

import json

import pytest

from models_app.services.assistants import rename_assistant
from studio.access.permissions import Permission, Scope
from studio.audit.models import AuditEvent
from studio.web.query_time import TookTooLong
from tests.access.api import Caller
from tests.factories import make_assistant, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin() -> Caller:
    return Caller(make_person("admin", username="admin"))


def rename(admin: Caller, slug: str = "cafe", title: str = "Bar") -> AuditEvent:
    rename_assistant(actor=admin.user, assistant=make_assistant(slug, "Café"), title=title)
    return AuditEvent.objects.latest("pk")


def test_an_event_says_who_did_what_when(admin) -> None:
    row = rename(admin)
    newest = admin.get("/audit?action=assistant-renamed").json()[0]
    assert newest == admin.get(f"/audit/{row.pk}").json()
    assert newest == {
        "id": row.pk,
        "at": row.at.timestamp(),
        "actor": "admin",
        "actor_label": "admin",
        "action": "assistant-renamed",
        "refused": False,
        "project": "cafe",
        "target_kind": "assistant",
        "target_id": row.target_id,
        "target_label": row.target_label,
        "before": {"title": "Café"},
        "after": {"title": "Bar"},
        "reason": "",
        "request_id": row.request_id,
        "address": row.address,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("action=assistant-renamed&project=cafe", 1),
        ("action=assistant-renamed&project=inn", 0),
        ("action=assistant-renamed&who=adm", 1),
        ("action=assistant-renamed&q=Bar", 1),
        ("action=assistant-renamed&outcome=refused", 0),
        ("action=assistant-renamed&since=2000-01-01&until=2000-01-02&tz=Europe/Berlin", 0),
        ("action=assistant-renamed&since=2000-01-01", 1),
        ("kind=assistant&action=assistant-renamed&target=Bar", 0),
    ],
)
def test_filters_as_on_the_page(admin, query, found) -> None:
    make_assistant("inn", "Inn")
    rename(admin)
    answer = admin.get(f"/audit?{query}")
    assert (len(answer.json()), answer["X-Total-Count"], answer["X-Total-Count-Exact"]) == (found, str(found), "true")


@pytest.mark.parametrize("query", ["action=none", "project=none", "since=soon", "tz=Moon", "limit=-1", "cursor=?"])
def test_what_is_no_filter_is_refused(admin, query) -> None:
    assert admin.get(f"/audit?{query}").status_code == 422


def test_pages_stay_in_place_while_events_come(admin) -> None:
    first = admin.get("/audit?limit=2")
    rename(admin)
    second = admin.get(f"/audit?limit=2&cursor={first['X-Next-Cursor']}").json()
    assert second[0]["id"] < first.json()[1]["id"]
    assert admin.get(f"/audit?limit=2&cursor={first['X-Next-Cursor']}").json() == second


def test_the_log_costs_the_same_for_any_number_of_events(admin, django_assert_num_queries) -> None:
    admin.get("/audit")
    with django_assert_num_queries(12):
        admin.get("/audit")
    for number in range(3):
        rename(admin, f"a{number}", f"Title {number}")
    with django_assert_num_queries(12):
        admin.get("/audit")


def test_who_may_read_one_assistants_log_reads_that_alone(admin) -> None:
    inn = make_assistant("inn", "Inn")
    row = rename(admin)
    boss = Caller(make_person("admin", Scope(inn.pk), username="boss"), {Permission.AUDIT_VIEW}, Scope(inn.pk))
    assert {one["project"] for one in boss.get("/audit").json()} == {"inn"}
    assert boss.get(f"/audit/{row.pk}").status_code == 404
    assert boss.get("/audit?project=cafe").status_code == 422
    assert admin.get(f"/audit/{10**30}").status_code == 404


def test_as_a_file_that_leaves_an_event(admin) -> None:
    rename(admin)
    answer = admin.get("/audit/file?as=jsonl&action=assistant-renamed")
    lines = [json.loads(line) for line in answer.getvalue().decode().splitlines()]
    assert [line["action"] for line in lines] == ["assistant-renamed"]
    assert AuditEvent.objects.get(action="audit-exported").after == {
        "as": "jsonl", "filters": {"action": "assistant-renamed"},
    }  # fmt: skip
    assert admin.get("/audit/file?as=csv").getvalue().startswith(b"id,at,")
    assert admin.get("/audit/file?as=pdf").status_code == 422


def test_what_takes_too_long_to_find_says_so(admin, monkeypatch) -> None:
    def ends(*_args: object, **_more: object) -> None:
        raise TookTooLong

    monkeypatch.setattr("studio.audit.api.page", ends)
    answer = admin.get("/audit?q=x")
    assert (answer.status_code, answer.json()["reason"]) == (422, "TooSlow")
