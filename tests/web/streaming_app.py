"""A WSGI application for gunicorn that sends one file by studio.web.streaming; started by test_streaming_gunicorn.

FILE names the file, CLAIMED how long it is said to be, NOTES where complete transfers are written down, HIDE hides
the file's descriptor, as a store elsewhere would.
"""

import io
import os
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

import django
from django.core.handlers.wsgi import WSGIHandler

django.setup()

from studio.web.streaming import Sent, Source, stream  # noqa: E402 - its module reads the settings


class Hidden(io.RawIOBase):
    """A file that can only be read."""

    def __init__(self, file) -> None:
        self.file = file

    def read(self, size=-1):
        return self.file.read(size)

    def close(self):
        self.file.close()


def open_file(start: int):
    file = Path(os.environ["FILE"]).open("rb")  # noqa: SIM115 - the transfer closes it
    file.seek(start)
    return Hidden(file) if os.environ.get("HIDE") else file


def note(sent: Sent) -> None:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{sent.size}\n")


class Application(WSGIHandler):
    def load_middleware(self, is_async: bool = False) -> None:
        source = Source(open_file, int(os.environ["CLAIMED"]), '"etag"')
        self._middleware_chain = lambda request: stream(request, source, headers={}, on_complete=note)


application = Application()
