"""Bodies in chunks, as clients in Go, Java and Node send JSON. They have no length, so Django reads nothing of them."""

from io import BytesIO

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from ninja.operation import Operation

from studio.uploads import RawBody

PIECE = 64 * 1024


def gather(request: HttpRequest, limit: int) -> None:
    """Make of a body in chunks one with a length. One byte more than `limit` is read at most: whoever reads the body
    refuses it then by its length, as any other. Not for files, for all of it is held in memory. Raises UploadCut.
    """
    if not isinstance(request, WSGIRequest) or not _is_chunked(request):
        return
    source, body = RawBody(request), BytesIO()
    while piece := source.read(min(PIECE, limit + 1 - body.tell())):
        body.write(piece)
    request.META["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    request._stream = body


def takes_file(operation: Operation) -> bool:
    """Whether it reads the raw body itself: then its description says what that is."""
    return "requestBody" in (operation.openapi_extra or {})


def _is_chunked(request: WSGIRequest) -> bool:
    """By what the server says that it has decoded."""
    return "HTTP_TRANSFER_ENCODING" in request.META and bool(request.META.get("wsgi.input_terminated"))
