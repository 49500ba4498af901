"""Conversations as a file: JSON lines or CSV, piece by piece, in memory that does not grow with them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from django.db import connection, transaction

from conversations.models import Conversation, ExportRun
from conversations.services import export_sql as sql

Format = ExportRun.Format

CONTENT_TYPES = {
    Format.JSONL: "application/x-ndjson",
    Format.MESSAGES: "text/csv; charset=utf-8",
    Format.CONVERSATIONS: "text/csv; charset=utf-8",
}
ENDINGS = {Format.JSONL: "jsonl", Format.MESSAGES: "messages.csv", Format.CONVERSATIONS: "csv"}
AT_ONCE = 250  # conversations of one query
LONG = 2000  # events; of a longer conversation they come one by one, because its line may be larger than memory
BLOCK = 256 * 1024

_COPY = {Format.MESSAGES: sql.MESSAGES_AS_CSV, Format.CONVERSATIONS: sql.CONVERSATIONS_AS_CSV}


def content(ids: Iterable[Sequence[int]], kind: Format) -> Iterator[bytes]:
    """The file of these conversations, given in any number of pieces, in blocks. What is gone is left out."""
    yield sql.HEADERS[kind]
    for some in ids:
        for start in range(0, len(some), AT_ONCE):
            yield from _in_blocks(_lines(some[start : start + AT_ONCE], kind))


def _lines(ids: Sequence[int], kind: Format) -> Iterator[bytes]:
    if kind != Format.JSONL:
        yield from _copied(_COPY[kind], ids)
        return
    long = set(Conversation.objects.filter(pk__in=ids, events_count__gt=LONG).values_list("pk", flat=True))
    for is_long, some in groupby(ids, key=long.__contains__):
        if is_long:
            for pk in some:
                yield from _long_line(pk)
        else:
            yield from _copied(sql.CONVERSATIONS_AS_JSON, list(some))


def _long_line(pk: int) -> Iterator[bytes]:
    with connection.cursor() as cursor:
        cursor.execute(sql.ENDS_OF_JSON.replace("{ids}", str(pk)))
        ends = cursor.fetchone()
    if ends is None:
        return
    yield str(ends[0]).encode()
    comma = b""
    for line in _copied(sql.EVENTS_AS_JSON, [pk]):
        yield comma + line[:-1]
        comma = b","
    yield str(ends[1]).encode() + b"\n"


def _copied(statement: str, ids: Sequence[int]) -> Iterator[bytes]:
    """Row by row, each with its line's end."""
    chosen = statement.replace("{ids}", ",".join(str(int(pk)) for pk in ids))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.QUICKLY)
        with connection.wrap_database_errors, cursor.copy(chosen) as copy:
            for row in copy:
                yield bytes(row)


def _in_blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Rows are small, and each piece of an answer costs a write to the network."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= BLOCK:
            yield b"".join(block)
            block, size = [], 0
    if block:
        yield b"".join(block)
