"""The SQL tracker store of a Rasa: its table `events(id, sender_id, type_name, timestamp, intent_name, action_name,
data)`, of which `data` is what its event broker publishes, without the sender (Rasa 3.6, core/tracker_store.py).

Read in the order of its ids, a batch at a time and without a transaction around them: one that lasts for hours would
keep PostgreSQL from tidying up behind a Rasa that goes on speaking.
"""

import hashlib
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from conversations.ingest.history import BATCH, BATCH_BYTES, Chunk, HistoryRefused
from conversations.ingest.history_file import with_sender
from conversations.ingest.records import Record

POSTGRESQL, SQLITE = ("postgresql", "postgres"), ("sqlite", "sqlite3")
_OTHERS = {
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
    "mongodb": "MongoDB",
    "redis": "Redis",
    "rediss": "Redis",
}
_OTHER_WAYS = (
    "Bring its history by “rasa export” through an event broker that Parley takes from, or as a file with one event on "
    "a line. docs/history-and-repair.md has both."
)
_NEXT = "SELECT id, sender_id, data FROM {} WHERE id > {} ORDER BY id LIMIT {}"

Row = tuple[int, str | bytes, str | bytes | None]


def scheme_of(where: str) -> str:
    """`postgresql` of `postgresql+psycopg2://…`, as Rasa's users write it; empty when it is no URL."""
    scheme, separator, _ = where.partition("://")
    return scheme.partition("+")[0].lower() if separator else ""


def open_table(url: str, schema: str = "") -> "PostgresTable | SqliteTable":
    """HistoryRefused when nothing of Rasa's can be read there, and for databases that we do not read."""
    scheme = scheme_of(url)
    if scheme in POSTGRESQL:
        return PostgresTable(url, schema)
    if scheme in SQLITE:
        return SqliteTable(url)
    name = _OTHERS.get(scheme, f"“{scheme}”")
    raise HistoryRefused(f"Parley does not read {name} itself, only PostgreSQL and SQLite. {_OTHER_WAYS}")


class PostgresTable:
    """Positions are ids."""

    def __init__(self, url: str, schema: str = "") -> None:
        self._url = f"postgresql{url[url.index('://') :]}"
        self._table = sql.Identifier(schema, "events") if schema else sql.Identifier("events")
        facts = {name: value for name, value in self._facts().items() if name != "password"}
        self.label = f"{facts.get('host', 'localhost')}/{facts.get('dbname', '')}{f' ({schema})' if schema else ''}"
        self.key = _key("postgresql", str(sorted(facts.items())), schema)
        self.end: int | None = self._last_id()

    def read(self, position: int) -> Iterator[Chunk]:
        with self._session() as session:
            while chunk := self._chunk(session, position):
                yield chunk
                position = chunk.next

    def _chunk(self, session: psycopg.Connection, position: int) -> Chunk | None:
        query = sql.SQL(_NEXT).format(self._table, sql.Placeholder(), sql.Placeholder())
        with session.cursor() as cursor:
            rows = cast("Generator[Row, None, None]", cursor.stream(query, [position, BATCH]))
            with closing(rows):  # the rest of a batch of large rows is not sent
                return _chunk_of(rows, position)

    def _facts(self) -> dict[str, object]:
        try:
            return dict(conninfo_to_dict(self._url))
        except psycopg.Error:
            raise HistoryRefused(
                "This is not an address of PostgreSQL. It must look like postgresql://user:password@host:5432/database."
            ) from None

    def _last_id(self) -> int | None:
        with self._session() as session:
            row = session.execute(sql.SQL("SELECT max(id) FROM {}").format(self._table)).fetchone()
        return row[0] if row else None

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=10) as session:
                session.execute("SET client_encoding TO 'UTF8'")
                yield session
        except psycopg.errors.UndefinedTable:
            raise HistoryRefused(
                "There is no table “events” in this database. Rasa's may lie in a schema of its own: name it with "
                "--schema (Rasa's variable POSTGRESQL_SCHEMA)."
            ) from None
        except psycopg.errors.UndefinedColumn:
            raise HistoryRefused("The table “events” there is not Rasa's: id, sender_id or data is missing.") from None
        except psycopg.Error as error:
            state = f" (code {error.sqlstate})" if error.sqlstate else ""
            raise HistoryRefused(f"PostgreSQL at {self._host()} did not hand over the events{state}.") from error

    def _host(self) -> str:
        return urlsplit(self._url).hostname or "localhost"


class SqliteTable:
    """Positions are ids. The file is opened to be read alone."""

    def __init__(self, url: str) -> None:
        # As SQLAlchemy has it: sqlite:///relative.db and sqlite:////absolute.db
        self._path = Path(unquote(url.partition("://")[2].removeprefix("/")))
        self.label = str(self._path)
        self.key = _key("sqlite", str(self._path.resolve()))
        self.end: int | None = self._last_id()

    def read(self, position: int) -> Iterator[Chunk]:
        query = _NEXT.format("events", "?", "?")
        with self._session() as session:
            while chunk := _chunk_of(session.execute(query, [position, BATCH]), position):
                yield chunk
                position = chunk.next

    def _last_id(self) -> int | None:
        with self._session() as session:
            last: int | None = session.execute("SELECT max(id) FROM events").fetchone()[0]
            return last

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise HistoryRefused(f"There is no file {self._path}.")
        try:
            with closing(sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)) as session:
                session.text_factory = bytes  # what is no UTF-8 is then one bad record, and not the end
                yield session
        except sqlite3.Error as error:
            raise HistoryRefused(f"{self._path} is not a tracker store of Rasa: {error}.") from None


def _chunk_of(rows: "Iterator[Row] | sqlite3.Cursor", position: int) -> Chunk | None:
    """As many of `rows` as make a batch; None when there are none."""
    records: list[Record] = []
    first, size = position, 0
    for number, sender, data in rows:
        record = with_sender(data, sender.decode(errors="replace") if isinstance(sender, bytes) else sender)
        records.append(Record(record))
        position, size = number, size + len(record)
        if size >= BATCH_BYTES:
            break
    return Chunk(records, first, position) if records else None


def _key(*parts: str) -> str:
    return f"table {hashlib.sha256(repr(parts).encode()).hexdigest()[:40]}"
