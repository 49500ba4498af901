"""A file in the body of a request: refused before it is sent when it is too large, and never so many at once that no
thread is left for others."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from models_app.storage import TooLarge
from studio.multipart import BESIDE
from studio.uploads import RawBody
from studio.web.streaming import let_go_of_database, transferring


@contextmanager
def receiving(request: HttpRequest, most: int) -> Iterator[RawBody]:
    """The raw body while it is read, of at most `most` bytes and what a multipart form writes around them.

    Raises TooLarge, and Busy when this process moves as many files as it may. Whoever reads bounds the file itself.
    """
    body = RawBody(request)
    around = BESIDE if request.content_type == "multipart/form-data" else 0
    if body.length is not None and body.length > most + around:
        raise TooLarge(most)
    with transferring():
        let_go_of_database()
        yield body
