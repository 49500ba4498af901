"""The audit log as a file: what the filters leave, nothing that a spreadsheet would run, and recorded itself."""

import csv
import io
import json

import pytest
from django.db import transaction
from django.test import Client

from studio.access.permissions import Scope
from studio.access.services.grants import grant
from studio.access.services.roles import save_role
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import record
from tests.clients import client_of
from tests.factories import make_assistant, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]


@pytest.fixture
def admin() -> Client:
    return client_of(make_person("admin", username="admin"))


def happened(reason: str, **fields: object) -> AuditEvent:
    with transaction.atomic():
        return record(None, Action.TAG_SET, reason=reason, **fields)


def text_of(answer) -> str:
    assert answer.status_code == 200 and answer.streaming
    return answer.getvalue().decode()


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(answer))))


def test_csv_holds_what_the_filters_leave_oldest_first(admin) -> None:
    happened("one")
    happened("two", before={"tag": "a"}, after={"tag": "b"})
    rows = rows_of(admin.get("/settings/audit/export.csv", {"action": "tag-set"}))
    assert [row["reason"] for row in rows] == ["one", "two"]
    assert json.loads(rows[1]["before"]) == {"tag": "a"}


def test_jsonl_is_one_object_a_line(admin) -> None:
    event = happened("a\nb")
    lines = text_of(admin.get("/settings/audit/export.jsonl", {"action": "tag-set"})).splitlines()
    assert [(json.loads(line)["id"], json.loads(line)["reason"]) for line in lines] == [(event.pk, "a\nb")]


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_a_formula(admin, evil) -> None:
    happened(evil, actor_label=evil)
    [row] = rows_of(admin.get("/settings/audit/export.csv", {"action": "tag-set"}))
    assert (row["reason"], row["actor_label"]) == (f"'{evil}", f"'{evil}")


def test_the_export_is_an_event_of_its_own_and_not_in_the_file(admin) -> None:
    happened("x")
    text = text_of(admin.get("/settings/audit/export.csv", {"who": "Parley"}))
    event = AuditEvent.objects.get(action=Action.AUDIT_EXPORTED)
    assert event.after == {"as": "csv", "filters": {"who": "Parley"}}
    assert "audit-exported" not in text


def test_filters_that_make_no_sense_lead_back_to_the_page_that_says_so(admin) -> None:
    answer = admin.get("/settings/audit/export.csv", {"since": "yesterday"})
    assert answer["Location"] == "/settings/audit/?since=yesterday"
    assert not AuditEvent.objects.filter(action=Action.AUDIT_EXPORTED).exists()


def test_who_reads_one_assistants_log_exports_that_one_alone() -> None:
    cafe, other = make_assistant("cafe"), make_assistant("other")
    happened("ours", assistant_id=cafe.pk)
    happened("theirs", assistant_id=other.pk)
    reader = make_person()
    role = save_role(actor=None, role=None, name="auditor", description="", permissions=["audit.view"])
    grant(actor=None, person=reader, role=role, scope=Scope(cafe.pk))
    rows = rows_of(client_of(reader).get("/settings/audit/export.csv"))
    assert {row["assistant_id"] for row in rows} == {str(cafe.pk)}


def test_refusals_and_what_was_done_can_be_told_apart(admin) -> None:
    happened("done")
    client_of(make_person("tester", username="tess")).get("/settings/people/")
    refused = rows_of(admin.get("/settings/audit/export.csv", {"outcome": "refused"}))
    assert [row["actor_label"] for row in refused] == ["tess"]
    done = rows_of(admin.get("/settings/audit/export.csv", {"outcome": "done", "who": "tess"}))
    assert "access-refused" not in {row["action"] for row in done}
