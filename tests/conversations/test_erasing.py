"""Erased is gone from every table, and nothing that is sent again brings it back."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from conversations.ingest import statements
from conversations.ingest.whose import keys_named, newest_time, sender_key
from conversations.ingest.write import Stored
from conversations.models import (
    CompletenessFinding,
    CompletenessRun,
    Conversation,
    Correction,
    DeadLetter,
    ErasureRun,
    Event,
    IntakeSource,
    Mark,
    ReadMark,
    TalkSession,
    Term,
    Tombstone,
)
from conversations.services import erasure_plan, erasure_runs, export_runs
from conversations.services.dead_letters import edit_and_retry
from conversations.services.erasing import erase, erase_conversation
from conversations.services.exporting import Format
from conversations.services.rebuild import rebuild_conversations
from environments.models import Environment
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.conversations.events import bot, raw, small_talk, user
from tests.factories import environment_of, make_assistant, make_person, store_events

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]
START = 1_700_000_000.0
LONG_AFTER = 4_000_000_000.0
WORD, WHO = "zinnoberrot4711", "customer-of-the-planted-id-0815"


def erase_now(sender: str = "anna") -> None:
    with transaction.atomic():
        ids = list(Conversation.objects.filter(sender_id=sender).values_list("pk", flat=True))
        assert erase(ids, Conversation.objects.all()).conversations == len(ids) > 0


def test_an_erased_conversation_is_gone_and_is_counted(stored: Make):
    stored(*small_talk(START))
    boss = make_person("admin")
    conversation = Conversation.objects.get()
    erased = erase_conversation(actor=boss, conversation=conversation)
    assert (erased.conversations, erased.events, erased.letters) == (1, 8, 0)
    assert not Conversation.objects.exists() and not Event.objects.exists()
    with pytest.raises(Conflict):
        erase_conversation(actor=boss, conversation=conversation)


def test_that_it_was_erased_is_audited_without_what_it_was(stored: Make):
    stored(*small_talk(START, "anna-schmidt"))
    boss = make_person("admin")
    erase_conversation(actor=boss, conversation=Conversation.objects.get())
    event = AuditEvent.objects.get(action="conversation-erased")
    assert event.actor == boss
    assert event.after == {"sender": sender_key("anna-schmidt").hex(), "events": 8, "unreadable records": 0}
    assert "anna" not in f"{event.target_label} {event.reason}"


def test_sent_again_it_stays_away_and_is_counted_as_erased(stored: Make):
    stored(*small_talk(START))
    erase_now()
    assert stored(*small_talk(START)) == Stored(erased=8)
    assert not Conversation.objects.exists()
    source = IntakeSource.objects.get()
    assert (source.events_total, source.known_total, source.erased_total) == (8, 0, 8)


def test_what_comes_late_of_before_is_refused_and_later_words_begin_anew(stored: Make):
    stored(*small_talk(START))
    erase_now()
    assert stored(bot("a late answer", START + 50), user("back again", LONG_AFTER)) == Stored(added=1, erased=1)
    one = Conversation.objects.get()
    assert (one.events_count, one.first_text, one.first_event_at) == (1, "back again", LONG_AFTER)
    assert stored(*small_talk(START)) == Stored(erased=8)
    assert Conversation.objects.get().events_count == 1
    assert all(not step.differences for step in rebuild_conversations(check=True))


def test_events_of_a_clock_that_is_ahead_are_refused_too(stored: Make):
    stored(user("from tomorrow", LONG_AFTER))
    erase_now()
    assert stored(user("from tomorrow", LONG_AFTER)) == Stored(erased=1)


def test_others_in_the_same_batch_and_the_same_id_elsewhere_stay(stored: Make):
    stored(*small_talk(START))
    elsewhere = environment_of(make_assistant())
    store_events(elsewhere, user("hi", START))
    with transaction.atomic():
        erase(list(Conversation.objects.exclude(assistant=elsewhere.assistant).values_list("pk", flat=True)),
              Conversation.objects.all())  # fmt: skip
    assert stored(*small_talk(START), user("hello", START, sender="berta")) == Stored(added=1, erased=8)
    assert store_events(elsewhere, user("hi", START), user("ho", START + 1)) == Stored(added=1, known=1)


def test_only_what_still_matches_is_erased(stored: Make):
    stored(*small_talk(START))
    ids = [Conversation.objects.get().pk]
    with transaction.atomic():
        assert erase(ids, Conversation.objects.filter(last_event_at__lt=START)).conversations == 0
    assert Conversation.objects.exists() and not Tombstone.objects.exists()


def test_nobody_comes_back_under_the_id_of_a_talk_of_ours(stored: Make, environment: Environment):
    TalkSession.objects.create(environment=environment, sender_id="talk-1", person=make_person("tester"))
    stored(*small_talk(START, "talk-1"))
    erase_now("talk-1")
    assert not TalkSession.objects.exists()
    assert stored(bot("still thinking", LONG_AFTER, sender="talk-1")) == Stored(erased=1)


def test_records_that_could_not_be_read_go_and_do_not_come_back(stored: Make):
    cut = b'{"sender_id": "anna", "event": "user", "text": "my number is 0170'
    others = b'{"sender_id": "berta", "event": "us'
    stored(*small_talk(START), cut, others)
    erase_now()
    assert [bytes(one.record) for one in DeadLetter.objects.all()] == [others]
    assert stored(cut, others) == Stored(dead=1, erased=1)
    assert DeadLetter.objects.count() == 2


def test_a_record_that_cannot_be_read_and_tells_a_later_time_is_kept(stored: Make):
    stored(*small_talk(START))
    erase_now()
    assert stored(b'{"sender_id": "anna", "timestamp": 4000000000.5, "event": "us') == Stored(dead=1)


def test_a_letter_that_is_edited_into_somebody_erased_is_emptied(stored: Make):
    stored(*small_talk(START), b'{"event": "user", "text": "without a name", "timestamp": 1700000001.0}')
    erase_now()
    letter = DeadLetter.objects.get()
    edited = raw(user("without a name", START + 1))[0]
    tried = edit_and_retry(actor=make_person("admin"), letter=letter, edited=edited)
    letter.refresh_from_db()
    assert (tried.state, letter.state, bytes(letter.record), letter.edited) == ("discarded", "discarded", b"", None)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (b'{"sender_id": "anna", "event', ["anna"]),
        (b'[{"sender_id" : "anna"}, {"sender_id": "berta"}]', ["anna", "berta"]),
        (b'{"sender_id": "a\\u0301\\"b', []),
        (b'{"sender_id": "a\\"b"', ['a"b']),
        ('{"sender_id": "änna"'.encode(), ["änna"]),
        (b'{"sender_id": 7}', []),
        (b"\xff\x00", []),
    ],
)
def test_everybody_whom_a_broken_record_names_is_known_by_key(record: bytes, named: list[str]):
    assert keys_named(record) == sorted(sender_key(one).hex() for one in named)


def test_the_latest_time_that_a_broken_record_tells():
    assert newest_time(b'{"timestamp": 5.5, "x": {"timestamp":7') == 7.0
    assert newest_time(b'{"timestamp": "now"') is None
    assert newest_time(b'{"timestamp": 999999999999999}') is None


def plant(environment: Environment) -> None:
    """Something of one person in every table that can hold it."""
    store_events(
        environment,
        user(f"my colour is {WORD}", START, sender=WHO, entities=[{"entity": "colour", "value": WORD}]),
        bot(f"{WORD}, I see", START + 1, sender=WHO),
        b'{"sender_id": "%s", "event": "user", "text": "%s' % (WHO.encode(), WORD.encode()),
    )
    TalkSession.objects.create(environment=environment, sender_id=WHO, first_text=WORD)
    run = CompletenessRun.objects.create(
        environment=environment, until=START, state="done", cursor=WHO, ended_at="2026-01-01T00:00:00Z"
    )
    conversation = Conversation.objects.get(sender_id=WHO)
    CompletenessFinding.objects.create(run=run, conversation=conversation, sender_id=WHO, missing=1)
    CompletenessFinding.objects.create(run=run, sender_id=WHO, missing=1)
    said = conversation.events.get(kind="user")
    whose = {"assistant": environment.assistant, "conversation": conversation}
    Mark.objects.create(**whose, event=said, kind="flag", note=WORD)
    ReadMark.objects.create(person=make_person("admin"), conversation=conversation, read_until=START)
    Correction.objects.create(**whose, event=said, text=WORD, intent="colour", at=timezone.now())


def test_words_that_somebody_else_said_too_are_kept(stored: Make):
    stored(user("alpha beta", START), user("beta gamma", START, sender="berta"))
    erase_now()
    assert set(Term.objects.filter(kind="w").values_list("value", flat=True)) == {"beta", "gamma"}


def test_what_was_searched_for_is_not_kept_either(environment: Environment, redis_client, settings, tmp_path):
    """Whoever deletes, or exports, somebody's conversations may have written their name into the filter."""
    settings.ARTIFACTS_DIR = tmp_path
    plant(environment)
    boss, assistant = make_person("admin"), environment.assistant
    export = export_runs.request_run(actor=boss, assistant=assistant, query=f"q={WORD}", kind=Format.JSONL)
    export_runs.work(export.pk)
    run = erasure_runs.request_run(actor=boss, assistant=assistant, query=f"q={WORD}&origin=real")
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert {"conversations_exportrun.query", "conversations_erasurerun.query"} <= tables_with(WORD)
    erasure_runs.confirm(actor=boss, run=run)
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.conversations, run.query) == ("done", 1, "q=...&origin=real")
    assert tables_with(WORD) == tables_with(WHO) == set()


def columns() -> Iterator[tuple[str, str, str]]:
    """Every column of every table of ours, as text can be made of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        yield from cursor.fetchall()


def tables_with(word: str) -> set[str]:
    found = set()
    with connection.cursor() as cursor:
        for table, column, kind in columns():
            value = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}" WHERE strpos({value}, %s) > 0)', [word])
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


def test_nothing_of_it_is_left_in_any_table(environment: Environment):
    plant(environment)
    told = {one.split(".")[0] for one in tables_with(WORD) | tables_with(WHO)}
    assert {f"conversations_{one}" for one in (
        "conversation", "event", "deadletter", "talksession", "completenessfinding", "completenessrun"
    )} <= told  # fmt: skip
    erase_conversation(actor=make_person("admin"), conversation=Conversation.objects.get(sender_id=WHO))
    assert tables_with(WORD) == tables_with(WHO) == set()
    assert tables_with(sender_key(WHO).hex()) == {"audit_auditevent.after", "conversations_erasurerun.sender"}
    assert bytes(Tombstone.objects.get().sender_key) == sender_key(WHO)


def plan_of(statement: str, parameters: list[object] | tuple[object, ...]) -> str:
    """With indexes wherever one fits: these tables are too small here for PostgreSQL to want any."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_nothing_that_ingestion_or_erasing_asks_reads_a_table_whole(environment: Environment):
    key = sender_key("anna")
    rule = ErasureRun(assistant=environment.assistant, environment=environment, before=START, days=1)
    letters = DeadLetter.objects.filter(assistant=environment.assistant, sender_keys__overlap=[key.hex()])
    findings = CompletenessFinding.objects.filter(Q(conversation__in=[1]) | Q(sender_id__in=["anna"]))
    asked: list[tuple[str, list[object] | tuple[object, ...]]] = [
        (statements.ADD_CONVERSATIONS, [[environment.assistant_id], [key], ["anna"], [START]]),
        (statements.LOCK_CONVERSATIONS, [[environment.assistant_id], [key]]),
        (statements.TOMBSTONES, [[environment.assistant_id], [key]]),
        (statements.LOCK_FOR_ERASING, [[1, 2]]),
    ]
    asked += [
        one.query.sql_with_params()
        for one in (
            letters, findings, erasure_plan.conversations_of(rule), erasure_plan.letters_of(rule),
            erasure_plan.talks_of(rule),
        )
    ]  # fmt: skip
    for statement, parameters in asked:
        assert "Seq Scan" not in plan_of(statement, parameters), statement
