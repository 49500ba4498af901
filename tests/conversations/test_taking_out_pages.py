"""The pages on which conversations are exported, deleted, and kept for a time."""

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from conversations.ingest.write import Stored
from conversations.models import Conversation, ErasureRun, ExportRun, RetentionRule
from conversations.services import erasure_runs, export_runs
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.models import AuditEvent
from tests.clients import client_of
from tests.conversations.events import small_talk, user
from tests.factories import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
Make = Callable[..., Stored]
START = 1_700_000_000.0


@pytest.fixture
def boss(db: None) -> User:
    return make_person("admin")


@pytest.fixture
def client(boss: User, settings, tmp_path) -> Client:
    settings.ARTIFACTS_DIR = tmp_path
    return client_of(boss)


def address(name: str, assistant: Assistant, *rest: object) -> str:
    return reverse(f"conversations:{name}", args=[assistant.slug, *rest])


def test_the_list_offers_to_export_and_delete_what_its_filter_shows(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START))
    page = client.get(f"{address('list', assistant)}?q=hi&origin=real").content.decode()
    for name in ("export", "erase-many"):
        assert f"{address(name, assistant)}?q=hi&amp;origin=real" in page
    nothing = client.get(f"{address('list', assistant)}?q=nobody").content.decode()
    assert f"{address('erase-many', assistant)}?" not in nothing


def test_who_may_not_delete_is_not_offered_it(stored: Make, assistant: Assistant, client: Client):
    stored(*small_talk(START))
    client.force_login(make_person("annotator"))
    one = Conversation.objects.get()
    for page in (address("list", assistant), address("detail", assistant, one.pk)):
        assert "elete" not in client.get(page).content.decode()


def test_a_few_are_downloaded_at_once(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START), user("ho", START, sender="berta"))
    dialog = client.get(f"{address('export', assistant)}?q=ho").content.decode()
    assert "1 conversation, as the list shows" in dialog
    link = f"{address('export-file', assistant)}?format=jsonl&q=ho"
    assert link.replace("&", "&amp;") in dialog
    answer = client.get(link)
    assert answer["Content-Disposition"].endswith('.jsonl"')
    assert json.loads(answer.getvalue())["sender_id"] == "berta"
    assert not ExportRun.objects.exists()


def test_many_are_prepared_and_downloaded_from_their_page(
    client: Client, stored: Make, assistant: Assistant, monkeypatch
):
    monkeypatch.setattr(export_runs, "AT_ONCE", 1)
    stored(*small_talk(START), *small_talk(START, "berta"))
    dialog = address("export", assistant)
    assert "More than 1 conversations" in client.get(dialog).content.decode()
    assert client.get(f"{address('export-file', assistant)}?format=jsonl").status_code == 302
    answer = client.post(dialog, {"format": "messages"})
    run = ExportRun.objects.get()
    page = address("export-run", assistant, run.pk)
    assert answer["Location"] == page
    assert "Waiting" in client.get(page).content.decode()
    assert client.get(address("export-run-file", assistant, run.pk)).status_code == 404
    export_runs.work(run.pk)
    assert "Download" in client.get(page, headers={"HX-Request": "true"}).content.decode()
    file = client.get(address("export-run-file", assistant, run.pk))
    assert (file["Content-Type"], len(file.getvalue().splitlines())) == ("text/csv; charset=utf-8", 5)
    client.post(address("export-cancel", assistant, run.pk))
    assert client.get(address("export-run-file", assistant, run.pk)).status_code == 404
    assert "Deleted" in client.get(address("exports", assistant)).content.decode()


def test_an_export_of_somebody_else_is_not_there(client: Client, assistant: Assistant):
    run = ExportRun.objects.create(assistant=assistant, format="jsonl", requested_by=make_person("admin"))
    assert client.get(address("export-run", assistant, run.pk)).status_code == 404


def test_an_invalid_filter_is_told(client: Client, assistant: Assistant):
    answer = client.get(f"{address('export', assistant)}?since=never")
    assert answer.status_code == 422 and "not valid" in answer.content.decode()


def test_one_conversation_is_deleted_from_its_page(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START))
    one = Conversation.objects.get()
    dialog = address("erase-one", assistant, one.pk)
    assert dialog in client.get(address("detail", assistant, one.pk)).content.decode()
    assert "8 events" in client.get(dialog).content.decode()
    answer = client.post(f"{dialog}?q=hi")
    assert answer["Location"] == f"{address('list', assistant)}?q=hi"
    assert not Conversation.objects.exists()
    assert client.post(dialog).status_code == 404
    history = client.get(address("retention", assistant)).content.decode()
    assert "One conversation" in history and "anna" not in history


def test_many_are_counted_looked_at_and_deleted(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START), *small_talk(START, "berta"), user("bye", START, sender="carl"))
    dialog = f"{address('erase-many', assistant)}?q=hi"
    assert "Text: hi" in client.get(dialog).content.decode()
    answer = client.post(dialog)
    run = ErasureRun.objects.get()
    page = address("erasure", assistant, run.pk)
    assert answer["Location"] == page
    assert "nothing is deleted yet" in client.get(page).content.decode()
    erasure_runs.work(run.pk)
    counted = client.get(page).content.decode()
    assert "Delete 2 conversations…" in counted and "anna" in counted and "carl" not in counted
    confirm = address("erasure-confirm", assistant, run.pk)
    client.post(confirm, {"typed": "3"})
    assert ErasureRun.objects.get().state == "counted"
    client.post(confirm, {"typed": "2"})
    assert client.get(confirm).status_code == 422
    erasure_runs.work(run.pk)
    done = client.get(page).content.decode()
    assert "Done" in done and "Conversations deleted" in done
    assert list(Conversation.objects.values_list("sender_id", flat=True)) == ["carl"]


def test_one_thinks_better_of_it(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START))
    client.post(address("erase-many", assistant))
    run = ErasureRun.objects.get()
    erasure_runs.work(run.pk)
    client.post(address("erasure-stop", assistant, run.pk))
    assert "Stopped by" in client.get(address("erasure", assistant, run.pk)).content.decode()
    assert not AuditEvent.objects.filter(action__contains="eras").exists()


def test_a_rule_is_added_looked_at_switched_on_changed_and_removed(client: Client, stored: Make, assistant: Assistant):
    stored(*small_talk(START))
    page = address("retention", assistant)
    assert "Everything is kept" in client.get(page).content.decode()
    add = address("retention-add", assistant)
    dialog = client.get(add).content.decode()
    assert "Everywhere that has no rule" in dialog and 'name="days"' in dialog
    assert client.post(add, {"place": "", "days": "0"}).status_code == 422
    client.post(add, {"place": "", "days": "90"})
    rule = RetentionRule.objects.get()
    assert (rule.environment, rule.days, rule.is_on) == (None, 90, False)
    assert "Everywhere that has no rule" not in client.get(add).content.decode()
    shown = client.get(page).content.decode()
    assert "Off" in shown and "kept for 90 days" in shown
    switch = address("retention-switch", assistant, rule.pk, "on")
    assert "1 conversation is older than 90 days" in client.get(switch).content.decode()
    client.post(switch)
    edit = address("retention-edit", assistant, rule.pk)
    assert 'name="days" value="90"' in client.get(edit).content.decode()
    client.post(edit, {"days": "365"})
    rule.refresh_from_db()
    assert (rule.is_on, rule.days) == (True, 365)
    client.post(address("retention-dry-run", assistant, rule.pk))
    run = ErasureRun.objects.get()
    erasure_runs.work(run.pk)
    assert "Older than 365 days" in client.get(address("erasure", assistant, run.pk)).content.decode()
    client.post(address("retention-remove", assistant, rule.pk))
    assert not RetentionRule.objects.exists() and Conversation.objects.exists()
    assert client.get(switch).status_code == 404
    assert client.get(address("erasure", assistant, run.pk)).status_code == 200


def test_the_pages_ask_as_much_of_the_database_for_many_as_for_one(
    client: Client, stored: Make, assistant: Assistant, boss: User, django_assert_max_num_queries
):
    for number in range(12):
        stored(*small_talk(START + number, f"s{number}"))
        run = erasure_runs.request_run(actor=boss, assistant=assistant, query="")
        ExportRun.objects.create(assistant=assistant, format="jsonl", requested_by=boss)
    erasure_runs.work(run.pk)
    for name, rest in (("retention", ()), ("exports", ()), ("erasure", (run.pk,)), ("export", ())):
        with django_assert_max_num_queries(16):
            assert client.get(address(name, assistant, *rest)).status_code == 200
