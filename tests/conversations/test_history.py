"""The history of an existing Rasa comes in from wherever it lies, and once however often and by whichever ways."""

import io
import json
import shlex
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as some

from conversations.ingest import history
from conversations.ingest.decode import decode
from conversations.ingest.history import HistoryRefused, Import
from conversations.ingest.history_file import Lines, open_file, with_sender
from conversations.ingest.history_sql import SqliteTable, open_table
from conversations.ingest.write import Stored
from conversations.models import Conversation, DeadLetter, Event, IntakePosition, IntakeSource
from environments.models import Environment
from studio.audit.models import AuditEvent
from tests.conversations.events import raw, small_talk, user
from tests.docs.pages import block_of
from tests.factories import store_events

PAGE_LINE = block_of("docs/history-and-repair.md", "manage.py import_events")
TABLE = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, sender_id VARCHAR(255) NOT NULL, type_name VARCHAR(255) NOT NULL,"
    " timestamp FLOAT, intent_name VARCHAR(255), action_name VARCHAR(255), data TEXT)"
)


def rows_of(*events: dict) -> list[tuple[str, str, float, str]]:
    """As Rasa's tracker store keeps them: sender_id is a column, and not in the JSON."""
    return [
        (
            one["sender_id"],
            one["event"],
            one["timestamp"],
            json.dumps({k: v for k, v in one.items() if k != "sender_id"}),
        )
        for one in events
    ]


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[..., str]:
    def make(*events: dict, odd: tuple[object, ...] = ()) -> str:
        path = tmp_path / "trackers.db"
        with sqlite3.connect(path) as session:
            session.execute(TABLE)
            rows = [*rows_of(*events), *(("anna", "odd", 1.0, one) for one in odd)]
            session.executemany("INSERT INTO events (sender_id, type_name, timestamp, data) VALUES (?, ?, ?, ?)", rows)
        session.close()
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    def make(*records: bytes) -> Path:
        path = tmp_path / "events.jsonl"
        path.write_bytes(b"\n".join([*records, b""]))
        return path

    return make


def bring(where: object, environment: Environment, *options: str) -> str:
    """Types the line of the page, with these in the place of its examples."""
    out = io.StringIO()
    ours = {"<where>": str(where), "default": environment.assistant.slug, "production": environment.name}
    _manage, *words = [ours.get(word, word) for word in shlex.split(PAGE_LINE)]
    call_command(*words, *options, stdout=out)
    return out.getvalue()


def run(one: Import) -> Stored:
    *_, last = one.run(threading.Event())
    return last.stored


# --- Tables ---------------------------------------------------------------------------------------------------------


def test_a_tracker_store_in_sqlite_becomes_conversations(sqlite, environment: Environment):
    said = bring(sqlite(*small_talk(), *small_talk(sender="bert")), environment)
    assert "16 new, 0 known already, 0 unreadable" in said and "Done." in said
    assert {one.events_count for one in Conversation.objects.filter(environment=environment)} == {8}


def test_twice_is_once(sqlite, environment: Environment):
    where = sqlite(*small_talk())
    bring(where, environment)
    assert "0 new, 8 known already" in bring(where, environment)


def test_what_the_event_broker_brought_is_the_same_event(sqlite, lines, environment: Environment, stored):
    stored(*small_talk())
    assert "0 new, 8 known already" in bring(sqlite(*small_talk()), environment)
    assert "0 new, 8 known already" in bring(lines(*raw(*small_talk())), environment)


@pytest.fixture
def postgres(transactional_db: None):
    """A schema of our test database, as a Rasa with POSTGRESQL_SCHEMA has it, and the database's address."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA rasa_history")
        cursor.execute(TABLE.replace("events", "rasa_history.events").replace("INTEGER", "SERIAL"))
        rows = rows_of(*small_talk(), user("NUL \x00 and \ud800", 1_790_000_100.0))
        cursor.executemany(
            "INSERT INTO rasa_history.events (sender_id, type_name, timestamp, data) VALUES (%s, %s, %s, %s)", rows
        )
    ours = connection.settings_dict
    address = {"host": ours["HOST"], "port": ours["PORT"] or 5432, "user": ours["USER"], "password": ours["PASSWORD"]}
    query = "&".join(f"{name}={value}" for name, value in address.items() if value)
    yield f"postgresql+psycopg2:///{ours['NAME']}?{query}"
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA rasa_history CASCADE")


def test_a_tracker_store_in_postgresql_becomes_conversations(postgres: str, environment: Environment, monkeypatch):
    monkeypatch.setattr("conversations.ingest.history_sql.BATCH", 3)
    assert "9 new, 0 known already, 0 unreadable" in bring(postgres, environment, "--schema", "rasa_history")
    assert "9 known already" in bring(postgres, environment, "--schema", "rasa_history")


def test_a_database_without_rasas_table_says_where_it_may_lie(postgres: str, environment: Environment):
    with pytest.raises(CommandError, match="--schema"):
        bring(postgres, environment)


def test_a_table_of_somebody_else_is_not_taken_for_rasas(postgres: str, environment: Environment):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rasa_history.events DROP COLUMN data")
    with pytest.raises(CommandError, match="is not Rasa's"):
        bring(postgres, environment, "--schema", "rasa_history")


def test_an_answer_of_megabytes_does_not_fill_the_memory(postgres: str, monkeypatch):
    monkeypatch.setattr("conversations.ingest.history_sql.BATCH_BYTES", 1000)
    chunks = list(open_table(postgres, "rasa_history").read(0))
    assert len(chunks) > 1 and sum(len(one.records) for one in chunks) == 9


def test_no_sentence_holds_the_password_of_a_database(environment: Environment):
    with pytest.raises(CommandError) as refused:
        bring("postgresql://rasa:top-secret@127.0.0.1:1/rasa", environment)
    assert "top-secret" not in str(refused.value) and "127.0.0.1" in str(refused.value)


@pytest.mark.parametrize(
    "url", ["mysql+pymysql://u:p@h/db", "mongodb://h/db", "redis://h", "mariadb://h/db", "ftp://h"]
)
def test_a_database_that_is_not_read_is_told_the_other_ways(url: str):
    with pytest.raises(HistoryRefused, match=r"only PostgreSQL and SQLite.*rasa export"):
        open_table(url)


def test_a_variable_may_hold_the_address(sqlite, environment: Environment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRACKERS", sqlite(*small_talk()))
    assert "8 new" in bring("env:TRACKERS", environment)
    with pytest.raises(CommandError, match="NOWHERE is not set"):
        bring("env:NOWHERE", environment)


@pytest.mark.parametrize("file", ["nothing-there.db", "no-database.db"])
def test_a_file_that_is_no_tracker_store_is_refused(file: str, tmp_path: Path, environment: Environment):
    (tmp_path / "no-database.db").write_text("hello " * 100)
    with pytest.raises(CommandError, match=file):
        bring(f"sqlite:///{tmp_path / file}", environment)


# --- Files ----------------------------------------------------------------------------------------------------------


def test_lines_of_the_broker_become_conversations(lines, environment: Environment):
    assert "8 new" in bring(lines(*raw(*small_talk()), b"", b"  "), environment)


def test_standard_input_is_read_to_its_end(environment: Environment):
    stream = io.BytesIO(b"\n".join(raw(*small_talk())))
    assert run(Import(Lines(stream, "standard input"), environment)) == Stored(added=8)
    assert not IntakePosition.objects.exists()


def tracker(sender: str = "anna") -> dict:
    events = [{k: v for k, v in one.items() if k != "sender_id"} for one in small_talk(sender=sender)]
    return {"sender_id": sender, "slots": {}, "latest_message": {"text": "hi"}, "events": events, "paused": False}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("several", [False, True])
def test_trackers_of_rasas_api_become_the_same_events(
    indent: int | None, several: bool, environment: Environment, tmp_path: Path
):
    store_events(environment, *small_talk())
    document = [tracker(), tracker("bert")] if several else tracker()
    (tmp_path / "tracker.json").write_text(json.dumps(document, indent=indent))
    expected = "8 new, 8 known already" if several else "0 new, 8 known already"
    assert expected in bring(tmp_path / "tracker.json", environment)


def test_trackers_on_lines_become_events(lines, environment: Environment):
    file = lines(json.dumps(tracker()).encode(), json.dumps(tracker("bert")).encode())
    assert "16 new" in bring(file, environment)


def test_one_bad_line_is_a_dead_letter_and_not_the_end(lines, environment: Environment):
    file = lines(b"\xff\x00", *raw(*small_talk()), b"{}", b'["event"]')
    for _ in range(2):
        assert "3 unreadable" in bring(file, environment)
    assert Conversation.objects.get().events_count == 8
    assert DeadLetter.objects.count() == 3


def test_a_line_without_end_is_one_dead_letter(lines, environment: Environment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("conversations.ingest.history_file.LONGEST_LINE", 2000)
    monkeypatch.setattr("conversations.ingest.history_file.KEPT_OF_TOO_LONG", 10)
    file = lines(b'{"x": "%s"}' % (b"x" * 9000), *raw(*small_talk()))
    assert "8 new, 0 known already, 1 unreadable" in bring(file, environment)
    assert bytes(DeadLetter.objects.get().record) == b'{"x": "xxx'


def test_odd_rows_of_a_table_are_dead_letters(sqlite, environment: Environment):
    where = sqlite(*small_talk(), odd=(None, "", "[1]", b"\xff\xfe", "{}", '{"event": "user"'))
    assert "8 new, 0 known already, 6 unreadable" in bring(where, environment)


def test_a_missing_file_is_said(environment: Environment):
    with pytest.raises(CommandError, match=r"nowhere.jsonl cannot be read: No such file"):
        bring("nowhere.jsonl", environment)


def test_what_is_no_history_stops_with_a_way_on(lines, environment: Environment, settings):
    settings.INTAKE_INVALID_SHARE = 1
    file = lines(*(b"no event %d" % number for number in range(20)))
    with pytest.raises(CommandError, match="--accept-invalid"):
        bring(file, environment)
    assert not DeadLetter.objects.exists()
    assert "20 unreadable" in bring(file, environment, "--accept-invalid")


# --- Going on -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lines", "table"])
def test_a_run_that_was_killed_goes_on_where_it_was(kind, lines, sqlite, environment: Environment, monkeypatch):
    monkeypatch.setattr("conversations.ingest.history_file.BATCH", 3)
    monkeypatch.setattr("conversations.ingest.history_sql.BATCH", 3)

    def opened():
        return open_file(file) if kind == "lines" else SqliteTable(where)

    file, where = lines(*raw(*small_talk())), sqlite(*small_talk())
    killed = Import(opened(), environment).run(threading.Event())
    assert next(killed).stored == Stored(added=3)
    assert run(Import(opened(), environment)) == Stored(added=5)
    assert run(Import(opened(), environment)) == Stored(known=8)  # to its end, so the next begins anew
    assert Event.objects.count() == 8


def test_a_batch_that_failed_is_read_again(lines, environment: Environment, monkeypatch: pytest.MonkeyPatch):
    file = lines(*raw(*small_talk()))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(history, "advance", lambda *_: (_ for _ in ()).throw(RuntimeError))
        run(Import(open_file(file), environment))
    assert not Event.objects.exists()
    assert run(Import(open_file(file), environment)) == Stored(added=8)


def test_two_imports_of_one_history_do_not_go_side_by_side(lines, environment: Environment, monkeypatch):
    monkeypatch.setattr("conversations.ingest.history_file.BATCH", 3)
    file = lines(*raw(*small_talk()))
    first, second = (Import(open_file(file), environment).run(threading.Event()) for _ in range(2))
    next(first)
    next(second)
    with pytest.raises(HistoryRefused, match="Somebody else"):
        next(first)


def test_asked_to_stop_it_ends_after_a_batch(lines, environment: Environment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("conversations.ingest.history_file.BATCH", 3)
    stop = threading.Event()
    stop.set()
    progress = list(Import(open_file(lines(*raw(*small_talk()))), environment).run(stop))
    assert len(progress) == 1
    assert 0 < progress[0].share < 1 and progress[0].rest_seconds > 0


def test_an_import_is_in_the_audit_log_without_the_password(sqlite, environment: Environment):
    bring(sqlite(*small_talk()), environment)
    begun, ended = AuditEvent.objects.filter(action__startswith="history-").order_by("pk")
    assert begun.after["from"].endswith("trackers.db") and ended.after["new"] == 8
    assert IntakeSource.objects.get(kind="history").environment == environment


@pytest.mark.parametrize("options", [("nobody", "production"), (None, "nowhere")])
def test_an_unknown_place_is_said(options, environment: Environment):
    slug, name = options
    with pytest.raises(CommandError, match=r"nobody|nowhere"):
        call_command("import_events", "-", "--assistant", slug or environment.assistant.slug, "--environment", name)


def test_nothing_to_bring_in_is_said(lines, environment: Environment):
    assert "There are no events." in bring(lines(), environment)


# --- The sender beside the event ------------------------------------------------------------------------------------

_json = some.recursive(
    some.none() | some.booleans() | some.floats(allow_nan=False) | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


@given(some.dictionaries(some.text(), _json, max_size=4), some.text())
def test_an_event_with_its_sender_is_what_the_broker_wrote(event: dict, sender: str):
    whole = event | {"event": "user", "timestamp": 1.5}
    ours = decode(with_sender(json.dumps(whole), sender))
    theirs = decode(json.dumps(whole | {"sender_id": sender}).encode())
    assert ours == theirs


def test_the_column_of_the_sender_counts_and_not_what_the_event_says():
    data = '{"sender_id": "bert", "event": "user", "timestamp": 1}'
    assert decode(with_sender(data, "anna")).sender_id == "anna"
