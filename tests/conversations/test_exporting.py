"""Files of conversations: what is in them, who gets them, and when they go."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from conversations.ingest.decode import read_payload
from conversations.ingest.write import Stored
from conversations.models import Conversation, Event, ExportPart, ExportRun
from conversations.services import export_runs, exporting
from conversations.services.erasing import erase_conversation
from conversations.services.exporting import Format, content
from environments.models import Environment
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.conversations.events import action, bot, event, small_talk, user
from tests.factories import environment_of, make_person

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]
START = 1_700_000_000.0
AWKWARD = 'back\\slash "quoted"\n\ttab , \x01\x02\x08 \x7f \x00 \ud800 emoji 😀 é \\u0041 \\n ] } ;'


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> None:
    settings.ARTIFACTS_DIR = tmp_path


def file_of(kind: Format, *pieces: list[int]) -> bytes:
    ids = pieces or [list(Conversation.objects.order_by("pk").values_list("pk", flat=True))]
    return b"".join(content(ids, kind))


def lines_of(data: bytes) -> list[dict]:
    return [json.loads(line) for line in data.splitlines()]


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_a_line_is_a_tracker_with_the_events_as_rasa_sent_them(stored: Make):
    sent = small_talk(START)
    stored(*sent)
    (line,) = lines_of(file_of(Format.JSONL))
    assert line["sender_id"] == "anna"
    assert line["events"] == [{key: value for key, value in one.items() if key != "sender_id"} for one in sent]
    facts = line["parley"]
    assert (facts["environment"], facts["origin"], facts["events_count"]) == ("production", "real", 8)
    assert (facts["intents"], facts["first_event_at"], facts["handover_at"]) == (["greet"], START, None)


@pytest.mark.parametrize("longest", [1, 2000])
def test_whatever_somebody_writes_comes_out_as_it_went_in(stored: Make, longest: int, monkeypatch):
    monkeypatch.setattr(exporting, "LONG", longest)
    stored(user(AWKWARD, START, sender='a"b\\'), bot("x", START + 1, sender='a"b\\'), user("hi", START, sender="berta"))
    lines = {one["sender_id"]: one for one in lines_of(file_of(Format.JSONL))}
    assert [one["text"] for one in lines['a"b\\']["events"]] == [AWKWARD, "x"]
    assert lines['a"b\\']["events"][0] == read_payload(Event.objects.get(name="greet", text__contains="back").payload)
    assert len(lines) == 2


def test_long_and_short_ones_stand_in_the_order_that_was_asked_for(stored: Make, monkeypatch):
    monkeypatch.setattr(exporting, "LONG", 3)
    monkeypatch.setattr(exporting, "AT_ONCE", 3)
    for name in "abcdefg":
        stored(*small_talk(START, name)[: 8 if name in "bcf" else 2])
    ids = dict(Conversation.objects.values_list("sender_id", "pk"))
    wanted = list("gfedcba")
    data = file_of(Format.JSONL, [ids[one] for one in wanted[:4]], [ids[one] for one in wanted[4:]])
    assert [one["sender_id"] for one in lines_of(data)] == wanted
    assert [len(one["events"]) for one in lines_of(data)] == [2, 8, 2, 2, 8, 8, 2]


def test_one_row_for_each_message(stored: Make):
    stored(*small_talk(START), user("=1+1", START + 5, intent="nlu_fallback", confidence=0.25))
    hi, hello, formula = rows_of(file_of(Format.MESSAGES))
    assert (hi["who"], hi["text"], hi["intent"], hi["confidence"], hi["action"]) == ("user", "hi", "greet", "0.97", "")
    assert (hello["who"], hello["text"], hello["action"], hello["policy"]) == (
        "bot", "Hello!", "utter_greet", "RulePolicy"
    )  # fmt: skip
    assert hi["time"] == "2023-11-14T22:13:21.000Z"
    assert (formula["text"], formula["confidence"]) == ("'=1+1", "0.25")


def test_one_row_for_each_conversation(stored: Make):
    stored(*small_talk(START, "@anna"), event("pause", START + 9, "@anna"))
    (row,) = rows_of(file_of(Format.CONVERSATIONS))
    assert (row["sender_id"], row["environment"], row["first_text"]) == ("'@anna", "production", "hi")
    assert (row["events"], row["user_messages"], row["seconds_to_reply"]) == ("9", "1", "0.200")
    assert row["handed_over"] == "2023-11-14T22:13:29.000Z"


@pytest.mark.parametrize("text", ["=A1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝x", "＋x", "－x", "＠x"])
def test_no_cell_is_taken_for_a_formula(stored: Make, text: str):
    stored(user(text, START, sender=text, intent=text, channel=text), action(text, START + 1, text, sender=text),
           bot(text, START + 2, sender=text))  # fmt: skip
    for kind in (Format.MESSAGES, Format.CONVERSATIONS):
        for row in rows_of(file_of(kind)):
            assert not [cell for cell in row.values() if cell.startswith(text[0])]


def test_what_was_erased_meanwhile_is_left_out(stored: Make):
    stored(*small_talk(START), *small_talk(START, "berta"))
    ids = list(Conversation.objects.values_list("pk", flat=True))
    pieces = content([[ids[0]], [ids[1]]], Format.JSONL)
    Conversation.objects.filter(pk=ids[1]).delete()
    assert len(lines_of(b"".join(pieces))) == 1


def test_a_small_file_is_sent_at_once_and_audited_without_words(stored: Make, assistant: Assistant):
    stored(*small_talk(START), user("secret", START, sender="berta"))
    boss = make_person("admin")
    pieces = export_runs.send_now(actor=boss, assistant=assistant, query="q=secret&origin=real", kind=Format.JSONL)
    assert [one["sender_id"] for one in lines_of(b"".join(pieces))] == ["berta"]
    told = AuditEvent.objects.get(action="conversations-exported")
    assert told.after == {"filter": "q=...&origin=real", "as": "jsonl", "conversations": 1}
    with pytest.raises(Invalid):
        export_runs.send_now(actor=boss, assistant=assistant, query="environment=nowhere", kind=Format.JSONL)


def test_a_file_holds_only_what_its_maker_may_see(stored: Make, assistant: Assistant, environment: Environment):
    worker = environment_of(assistant, "worker")
    stored(*small_talk(START))
    stored(*small_talk(START, "berta"), under="worker")
    annotator = make_person("annotator", Scope(assistant.pk, worker.pk))
    pieces = export_runs.send_now(actor=annotator, assistant=assistant, query="", kind=Format.JSONL)
    assert [one["sender_id"] for one in lines_of(b"".join(pieces))] == ["berta"]


def prepared(assistant: Assistant, person=None, kind: Format = Format.JSONL) -> ExportRun:
    run = export_runs.request_run(actor=person or make_person("admin"), assistant=assistant, query="", kind=kind)
    export_runs.work(run.pk)
    run.refresh_from_db()
    return run


def bytes_of(run: ExportRun) -> bytes:
    with export_runs.store().open(run.sha256) as file:
        return file.read()


def test_a_large_file_is_prepared_and_the_same(stored: Make, assistant: Assistant, redis_client, monkeypatch):
    monkeypatch.setattr(export_runs, "AT_ONCE", 2)
    monkeypatch.setattr(export_runs, "PART", 2)
    for name in "abcde":
        stored(*small_talk(START + ord(name), name))
    boss = make_person("admin")
    with pytest.raises(Conflict):
        export_runs.send_now(actor=boss, assistant=assistant, query="", kind=Format.JSONL)
    run = prepared(assistant, boss)
    assert (run.state, run.total, run.done, run.size) == ("done", 5, 5, len(bytes_of(run)))
    assert [one["sender_id"] for one in lines_of(bytes_of(run))] == list("edcba")
    assert AuditEvent.objects.get(action="conversations-exported").after["conversations"] == 5


def test_a_run_that_was_killed_begins_anew(stored: Make, assistant: Assistant, redis_client, monkeypatch):
    stored(*small_talk(START), *small_talk(START, "berta"))
    monkeypatch.setattr(export_runs, "PART", 1)
    run = export_runs.request_run(actor=make_person("admin"), assistant=assistant, query="", kind=Format.JSONL)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(exporting, "_copied", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        export_runs.work(run.pk)
    export_runs.work(run.pk)  # the one that was killed may live
    assert ExportRun.objects.get().state == "running"
    ExportRun.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    export_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done, run.attempt, len(lines_of(bytes_of(run)))) == ("done", 2, 2, 2)


def test_one_that_was_overtaken_writes_nothing(stored: Make, assistant: Assistant, redis_client, monkeypatch):
    stored(*small_talk(START))
    run = export_runs.request_run(actor=make_person("admin"), assistant=assistant, query="", kind=Format.JSONL)
    real = exporting._copied

    def overtaken(*arguments):
        ExportRun.objects.update(attempt=9)
        return real(*arguments)

    monkeypatch.setattr(exporting, "_copied", overtaken)
    export_runs.work(run.pk)
    assert (ExportRun.objects.get().state, list(export_runs.store().older_than(timezone.now()))) == ("running", [])


def test_erasing_a_conversation_deletes_the_files_that_have_it(
    stored: Make, assistant: Assistant, redis_client, django_capture_on_commit_callbacks
):
    stored(*small_talk(START), *small_talk(START, "berta"))
    boss = make_person("admin")
    with_both = prepared(assistant, boss)
    only_berta = export_runs.request_run(actor=boss, assistant=assistant, query="q=nobody", kind=Format.JSONL)
    export_runs.work(only_berta.pk)
    with django_capture_on_commit_callbacks(execute=True):
        erase_conversation(actor=boss, conversation=Conversation.objects.get(sender_id="anna"))
    with_both.refresh_from_db(), only_berta.refresh_from_db()
    assert (with_both.state, only_berta.state) == ("expired", "done")
    assert not export_runs.store().exists(with_both.sha256) and export_runs.store().exists(only_berta.sha256)
    assert not ExportPart.objects.filter(run=with_both).exists()


def test_a_file_that_is_being_written_ends_when_one_of_it_is_erased(
    stored: Make, assistant: Assistant, redis_client, monkeypatch
):
    stored(*small_talk(START), *small_talk(START, "berta"))
    monkeypatch.setattr(export_runs, "PART", 1)
    boss = make_person("admin")
    run = export_runs.request_run(actor=boss, assistant=assistant, query="", kind=Format.JSONL)
    real = exporting._copied

    def erasing(*arguments):
        lines = list(real(*arguments))
        first = Conversation.objects.first()
        if first is not None:
            erase_conversation(actor=boss, conversation=first)
        return iter(lines)

    monkeypatch.setattr(exporting, "_copied", erasing)
    export_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.message, run.sha256) == ("expired", export_runs.ERASED, "")
    assert not list(export_runs.store().older_than(timezone.now()))


def test_files_are_kept_for_a_day(stored: Make, assistant: Assistant, redis_client, django_capture_on_commit_callbacks):
    stored(*small_talk(START))
    run = prepared(assistant)
    export_runs.sweep()
    assert export_runs.store().exists(run.sha256)
    ExportRun.objects.update(expires_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        export_runs.sweep()
    assert not export_runs.store().exists(run.sha256)
    assert ExportRun.objects.get().state == "expired"


def test_cancelling_deletes_what_is_ready(stored: Make, assistant: Assistant, redis_client):
    stored(*small_talk(START))
    run = prepared(assistant)
    with transaction.atomic():
        export_runs.cancel(actor=run.requested_by, run=run)
    with pytest.raises(Conflict):
        export_runs.cancel(actor=run.requested_by, run=run)
    assert ExportRun.objects.get().state == "expired"
