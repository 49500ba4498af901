"""Histories in files: one event on a line as the event broker publishes it, or whole conversations as Rasa's HTTP API
gives them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from conversations.ingest.history import BATCH, BATCH_BYTES, Chunk, HistoryRefused
from conversations.ingest.records import Record

LONGEST_LINE = 64 * 1024**2
KEPT_OF_TOO_LONG = 64 * 1024  # of a line that no event can be: enough to see what it is
LARGEST_DOCUMENT = 256 * 1024**2
_KNOWN_BY = 64 * 1024  # bytes from a file's beginning


def with_sender(data: str | bytes | None, sender_id: str) -> bytes:
    """An event's JSON with the sender in it, whose place in a tracker store is a column of its own.

    Joined as text and at the end, where it wins: an event is decoded once, and what is no object stays what it is.
    """
    text = (data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data or b"").strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return text
    comma = b"" if text[1:-1].strip() == b"" else b","
    return b"%s%s%s}" % (text[:-1], comma, b'"sender_id":' + json.dumps(sender_id).encode())


def events_of(tracker: dict[str, Any]) -> Iterator[Record]:
    """The events of a conversation as `GET /conversations/<id>/tracker` answers it."""
    for event in tracker["events"]:
        if isinstance(event, dict):
            event = event | {"sender_id": tracker.get("sender_id")}
        yield Record(json.dumps(event).encode())


def is_tracker(document: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(document, dict) and isinstance(document.get("events"), list) and "event" not in document


@dataclass(frozen=True, slots=True)
class Lines:
    """One event, or one conversation, on a line. Positions are bytes. A stream is read on from where it is."""

    source: Path | BinaryIO
    label: str
    key: str = ""
    end: int | None = None

    def read(self, position: int) -> Iterator[Chunk]:
        if not isinstance(self.source, Path):
            yield from _chunks(self.source, 0)
            return
        with self.source.open("rb") as stream:
            stream.seek(position)
            yield from _chunks(stream, position)


def _chunks(stream: BinaryIO, first: int) -> Iterator[Chunk]:
    records: list[Record] = []
    size = 0
    while line := stream.readline(LONGEST_LINE):
        size += len(line)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            size += _skip_line(stream)
            line = line[:KEPT_OF_TOO_LONG]
        records += _records_of(line)
        if len(records) >= BATCH or size >= BATCH_BYTES:
            yield Chunk(records, first, first + size)
            records, first, size = [], first + size, 0
    if records:
        yield Chunk(records, first, first + size)


def _skip_line(stream: BinaryIO) -> int:
    """To the end of a line without end; how many bytes that were."""
    skipped = 0
    while piece := stream.readline(1024**2):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _records_of(line: bytes) -> list[Record]:
    line = line.strip()
    if not line:
        return []
    if b'"events"' in line and is_tracker(document := _parsed(line)):
        return list(events_of(document))
    return [Record(line)]


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Documents:
    """Conversations of one JSON document that stands on many lines. Positions are numbers of events."""

    records: list[Record]
    label: str
    key: str = ""

    @property
    def end(self) -> int:
        return len(self.records)

    def read(self, position: int) -> Iterator[Chunk]:
        for first in range(position, len(self.records), BATCH):
            records = self.records[first : first + BATCH]
            yield Chunk(records, first, first + len(records))


def open_file(path: Path) -> Lines | Documents:
    """HistoryRefused when there is no such file, or when it may not be read."""
    try:
        with path.open("rb") as stream:
            beginning = stream.read(_KNOWN_BY)
        found = path.stat()
        size = found.st_size
        whole = path.read_bytes() if _is_one_document(beginning) and size <= LARGEST_DOCUMENT else b""
    except OSError as error:
        raise HistoryRefused(f"{path} cannot be read: {error.strerror}.") from None
    # A file that has changed since is another one: it begins anew, and what came of it before is known.
    version = f"{size} {found.st_mtime_ns}".encode()
    key = f"file {hashlib.sha256(beginning + version).hexdigest()[:40]}"
    document = _parsed(whole)
    if document is not None:
        return Documents(_records_in(document), str(path), key)
    return Lines(path, str(path), key, size)


def _is_one_document(beginning: bytes) -> bool:
    """Rather than one on each line: written for people, or a list."""
    line = beginning.lstrip().partition(b"\n")[0].strip()
    return line in (b"{", b"[") or line.startswith(b"[{")


def _records_in(document: object) -> list[Record]:
    found = document if isinstance(document, list) else [document]
    return [record for one in found for record in (events_of(one) if is_tracker(one) else [_whole(one)])]


def _whole(event: object) -> Record:
    return Record(json.dumps(event).encode())
