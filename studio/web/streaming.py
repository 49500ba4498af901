"""Files as answers: memory stays flat, a Range resumes, and a body that ends short never looks whole.

A client that reads slowly keeps its thread for minutes. So a transfer gives its database connection back before it
begins, a process runs only so many of them that threads are left for everything else, and one that stalls is ended.
"""

import contextlib
import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import structlog
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from studio.errors import DomainError
from studio.web.ratelimit import TooMany

log = structlog.get_logger()

BLOCK = 256 * 1024
STALL_SECONDS = 60  # a client that takes nothing for so long is gone

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_transfers = threading.BoundedSemaphore(settings.TRANSFERS)


class Busy(TooMany):
    """This process moves as many files as it may."""

    code = "busy"
    status = 503

    def __init__(self) -> None:
        super().__init__("Too many files are on their way at once. Try again in a moment.", seconds=5)


@contextlib.contextmanager
def transferring() -> Iterator[None]:
    """Take one of the places for files on their way. Raises Busy."""
    if not _transfers.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        _transfers.release()


@dataclass(frozen=True, slots=True)
class Source:
    """A file to send: how to open it at an offset, its size, and its strong ETag with the quotes."""

    open: Callable[[int], BinaryIO]
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole file that went out to its last byte."""

    size: int
    seconds: float


def stream(
    request: HttpRequest,
    source: Source,
    *,
    headers: Mapping[str, str],
    content_type: str = "application/gzip",
    on_complete: Callable[[Sent], None] | None = None,
    on_cut: Callable[[], None] | None = None,
) -> HttpResponseBase:
    """The file as 200, a part of it as 206, or 416; 503 when this process runs enough transfers already.

    `on_complete` is called after the last byte of a 200 was handed to the network, never for a part; `on_cut` when a
    200 ended before that.
    """
    span = _span(request, source)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{source.size}"})
    start, length, is_part = span
    facts = {"ETag": source.etag, "Accept-Ranges": "bytes", "Content-Length": str(length), **headers}
    if is_part:
        facts["Content-Range"] = f"bytes {start}-{start + length - 1}/{source.size}"
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=facts, content_type=content_type)
    if not _transfers.acquire(blocking=False):
        return HttpResponse("Too many downloads at once.\n", status=503, headers={"Retry-After": "5"})
    try:
        body = Body(source.open(start), start, length)
    except BaseException:
        _transfers.release()
        raise
    let_go_of_database()
    _limit_stalling(request)
    response = _BodyResponse(body, status=status, headers=facts, content_type=content_type)
    if not is_part:
        response.on_complete, response.on_cut = on_complete, on_cut
    return response


def matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match names `etag`: weak comparison, lists and `*` (RFC 9110, 13.1.2).

    Bare words count as well, since Rasa's first one has no quotes.
    """
    if header == etag:
        return True
    wanted = bare(etag)
    return any(part.strip() == "*" or bare(part) == wanted for part in header.split(","))


def bare(etag: str) -> str:
    """An ETag without its quotes and without the `W/` that compressing proxies put before it."""
    return etag.strip().removeprefix("W/").strip('"')


class Body:
    """A piece of a file that knows how much of it went out, by `read` or by sendfile, which tells by `seek`."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self.file = file
        self.position = start
        self.end = start + length
        self.began = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block

    def read(self, size: int = BLOCK) -> bytes:
        """Raises instead of ending early: the error ends the connection, and the client sees that bytes are missing."""
        block = self.file.read(min(size, self.end - self.position))
        if not block and self.position < self.end:
            raise _cut()
        self.position += len(block)
        return block

    def fileno(self) -> int:
        return self.file.fileno()

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        self.position = self.file.seek(position, whence)
        return self.position

    @property
    def is_complete(self) -> bool:
        return self.position == self.end

    def close_file(self) -> None:
        """That a client left needs no line in the log; that the file is shorter than it should be does."""
        with self.file, contextlib.suppress(OSError, DomainError):  # what cannot be read has been said already
            if not self.is_complete and not self.file.read(1):
                log.error("file ends early", position=self.position, end=self.end)


class _BodyResponse(StreamingHttpResponse):
    """Django hands `file_to_stream` to the server's sendfile when it has one, and calls `close` at the end."""

    block_size = BLOCK

    def __init__(
        self,
        body: Body,
        *,
        status: int,
        headers: Mapping[str, str],
        content_type: str,
    ) -> None:
        super().__init__(iter(body), status=status, headers=dict(headers), content_type=content_type)
        self.file_to_stream = body
        self.on_complete: Callable[[Sent], None] | None = None
        self.on_cut: Callable[[], None] | None = None

    def close(self) -> None:
        """End the transfer. A body cut short raises, or the server would keep the connection as if it were whole."""
        if self.closed:
            return
        body = self.file_to_stream
        try:
            body.close_file()
            if body.is_complete and self.on_complete is not None:
                self.on_complete(Sent(body.end, time.monotonic() - body.began))
            elif not body.is_complete and self.on_cut is not None:
                self.on_cut()
        finally:
            _transfers.release()
            super().close()
        if not body.is_complete:
            raise _cut()


def _cut() -> OSError:
    return ConnectionResetError(errno.ECONNRESET, "the body ended before its Content-Length")


def _span(request: HttpRequest, source: Source) -> tuple[int, int, bool] | None:
    """(offset, length, whether it answers a Range); None when the range lies outside.

    What is no single valid range, or no longer the same file (If-Range), gets everything.
    """
    whole = 0, source.size, False
    match = _ONE_RANGE.match(request.META.get("HTTP_RANGE", ""))
    condition = request.META.get("HTTP_IF_RANGE")
    if match is None or match.group(0) == "bytes=-" or (condition is not None and condition.strip() != source.etag):
        return whole
    first, last = match.groups()
    if not first:
        length = min(int(last), source.size)
        return (source.size - length, length, True) if length else None
    start = int(first)
    end = min(int(last), source.size - 1) if last else source.size - 1
    if last and int(last) < start:
        return whole
    return (start, end - start + 1, True) if start < source.size else None


def let_go_of_database() -> None:
    """Give the connection back for the minutes that a file takes; the next query opens one again."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _limit_stalling(request: HttpRequest) -> None:
    """gunicorn lends its socket, and makes it blocking again for the next request."""
    socket = request.META.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(STALL_SECONDS)
