"""Reading a request's raw body piece by piece, and knowing a whole one from one whose connection was cut."""

from socket import socket as Socket  # noqa: N812

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

from studio.errors import Invalid


class UploadCut(Invalid):
    """The sender went away before everything had arrived."""

    code = "upload-cut"

    def __init__(self) -> None:
        super().__init__("The connection was cut before the whole file had arrived. Nothing was kept; send it again.")


STALL_SECONDS = 60  # a sender that sends nothing for so long is gone


class RawBody:
    """The body of a request, read straight from the web server.

    Django hands out nothing of a chunked body, which has no Content-Length; gunicorn decodes the chunks itself and
    says so with `wsgi.input_terminated`. A body that ends before its Content-Length ends with UploadCut rather than
    as a shorter file; gunicorn raises for a chunked one that is cut or garbled.
    """

    def __init__(self, request: HttpRequest) -> None:
        environ = request.environ if isinstance(request, WSGIRequest) else request.META
        self._stream = environ["wsgi.input"]
        self.length = content_length(request)
        self._left = self.length
        if self._left is None and not environ.get("wsgi.input_terminated"):
            self._left = 0  # neither a length nor chunks: there is no body, and reading would wait for ever
        if (socket := environ.get("gunicorn.socket")) is not None:
            socket.settimeout(STALL_SECONDS)  # gunicorn makes it blocking again for the next request

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end of a whole body."""
        if self._left is not None:
            size = min(size, self._left)
        if size == 0:
            return b""
        piece = self._piece(size)
        if self._left is not None:
            if not piece:
                raise UploadCut
            self._left -= len(piece)
        return piece

    def _piece(self, size: int) -> bytes:
        reader = getattr(self._stream, "reader", None)
        try:
            if isinstance(reader, LengthReader) and isinstance(reader.unreader, SocketUnreader):
                return _straight(reader, size)
            piece: bytes = self._stream.read(size)
        except (OSError, ParseException) as error:
            self._stream.failed = True  # gunicorn's word for: no other request on this connection
            raise UploadCut from error
        return piece


def _straight(reader: LengthReader, size: int) -> bytes:
    """What reader.read gives, which copies each byte five times: `size` bytes, fewer when the sender has gone."""
    unreader = reader.unreader
    if before := unreader.take_buffered():  # came with the headers
        piece: bytes = before[:size]
        unreader.unread(before[size:])
    else:
        piece = _received(unreader.sock, size)
    reader.length -= len(piece)
    return piece


def _received(socket: Socket, size: int) -> bytes:
    buffer = bytearray(size)
    view, have = memoryview(buffer), 0
    while have < size and (more := socket.recv_into(view[have:])):
        have += more
    return bytes(view[:have])


def content_length(request: HttpRequest) -> int | None:
    """What the sender said it would send; None for a chunked body."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None
