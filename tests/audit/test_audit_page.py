"""The audit log: what it shows to whom, its filters, and that it cannot be altered."""

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from models_app.models import Assistant
from studio.access.models import Role, User
from studio.access.permissions import Scope
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import record
from studio.audit.views import changes
from tests.clients import client_of
from tests.factories import make_assistant, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe", "Café Lumen")


@pytest.fixture
def client(admin: User) -> Client:
    return client_of(admin)


def page(client: Client, **query: object) -> str:
    answer = client.get(reverse("audit:list"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def happened(actor: User | None, target: object, action: Action = Action.TAG_SET, **fields: object) -> AuditEvent:
    with transaction.atomic():
        return record(actor, action, target, **fields)


def test_a_change_is_shown_with_what_was_before_and_after(client, admin, cafe) -> None:
    happened(admin, cafe, Action.ASSISTANT_RENAMED, before={"title": "Bakery"}, after={"title": "Café"}, reason="moved")
    shown = page(client)
    for words in ("Assistant renamed", "Bakery", "Café", "moved", "admin"):
        assert words in shown


def test_facts_that_stayed_are_left_out() -> None:
    event = AuditEvent(before={"name": "a", "kind": "x"}, after={"name": "b", "kind": "x", "new": 1})
    assert [(one.name, one.before, one.after) for one in changes(event)] == [("name", "a", "b"), ("new", None, 1)]


def test_lists_are_read_as_words() -> None:
    event = AuditEvent(before={"groups": []}, after={"groups": ["testers", "north"]})
    assert [(one.before, one.after) for one in changes(event)] == [("none", "testers, north")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "mara"}, "beta"),
        ({"action": "tag-removed"}, "beta"),
        ({"target": "bet"}, "beta"),
        ({"q": "because"}, "beta"),
        ({"q": "in-the-value"}, "beta"),
        ({"kind": "role", "target": "BETA_ID"}, "beta"),
        ({"who": "mara", "action": "tag-set"}, None),
    ],
)
def test_it_is_narrowed_by(client, query, found) -> None:
    alpha, beta = (Role.objects.create(name=name) for name in ("alpha", "beta"))
    happened(None, alpha)
    happened(make_person(username="mara"), beta, Action.TAG_REMOVED, reason="because", before={"tag": "in-the-value"})
    query = {name: str(beta.pk) if value == "BETA_ID" else value for name, value in query.items()}
    shown = page(client, **query)
    assert ("</b> alpha" not in shown) and (("</b> beta" in shown) == (found is not None))


def test_days_are_those_of_the_time_zone_in_the_address(client, monkeypatch) -> None:
    from datetime import UTC, datetime

    import time_machine

    with time_machine.travel(datetime(2026, 3, 1, 23, 30, tzinfo=UTC), tick=False):
        happened(None, Role.objects.create(name="late"))
    in_utc = {"since": "2026-03-02", "until": "2026-03-02"}
    assert "</b> late" not in page(client, **in_utc)
    assert "</b> late" in page(client, **in_utc, tz="Europe/Berlin")


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"tz": "Mars/Olympus"}, {"action": "x"}, {"since": "2026-02-02", "until": "2026-01-01"}],
)
def test_a_filter_that_makes_no_sense_is_said_and_shows_nothing(client, query) -> None:
    shown = page(client, **query)
    assert "field-error" in shown and "<details>" not in shown


def test_pages_follow_each_other_without_gap_or_double(client) -> None:
    role = Role.objects.create(name="many")
    for number in range(60):
        happened(None, role, after={"number": number})
    first = client.get(reverse("audit:list"), {"target": "many"}).context["page"]
    second = client.get(reverse("audit:list"), {"target": "many", "after": first.older}).context["page"]
    numbers = [event.after["number"] for event in first.rows + second.rows]
    assert numbers == list(range(59, -1, -1))


def test_the_list_costs_the_same_for_many_events(client, django_assert_max_num_queries) -> None:
    for _ in range(40):
        happened(None, None)
    with django_assert_max_num_queries(10):
        page(client)


def test_a_search_that_takes_too_long_is_ended_and_said(client, monkeypatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_auditevent (at, actor_label, action, target_kind, target_id, target_label, reason,"
            " request_id) SELECT now(), '', 'tag-set', '', '', repeat(md5(g::text), 8), '', ''"
            " FROM generate_series(1, 20000) AS g"
        )
    monkeypatch.setattr("studio.audit.views.SEARCH_SECONDS", 0.001)
    assert "That takes too long to find" in page(client, q="nowhere")
    monkeypatch.undo()
    assert "Nothing matches these filters" in page(client, q="nowhere")


def test_each_event_has_an_address(client) -> None:
    event = happened(None, Role.objects.create(name="alpha"))
    assert "Tag set alpha" in client.get(reverse("audit:event", args=[event.pk])).content.decode()
    assert client.get(reverse("audit:event", args=[event.pk + 1000])).status_code == 404


def test_who_reads_one_assistants_log_sees_that_one_alone(cafe) -> None:
    other = make_assistant("other", "Bicycles")
    for assistant in (cafe, other):
        happened(None, assistant, Action.ASSISTANT_RENAMED, assistant_id=assistant.pk)
    hidden = happened(None, other, assistant_id=other.pk)
    reader = make_person(username="mara")
    role = save_role(actor=None, role=None, name="auditor", description="", permissions=["audit.view"])
    grant(actor=None, person=reader, role=role, scope=Scope(cafe.pk), scope_label="Café Lumen")
    client = client_of(reader)
    shown = page(client)
    assert "Café Lumen" in shown and "Bicycles" not in shown
    assert client.get(reverse("audit:event", args=[hidden.pk])).status_code == 404


def test_what_was_written_is_never_markup(client) -> None:
    evil = "<script>alert(1)</script>"
    happened(None, Role.objects.create(name="a"), before={evil: evil}, reason=evil, actor_label=evil)
    assert "<script>alert" not in page(client)
