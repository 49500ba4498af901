"""Uploads of models that go on after a cut connection: what has arrived lies in a file until all of it is there.

Nothing is kept but that file: its name follows from who sends what where, so that whoever begins the same again goes
on. The folder is this machine's, or one that several machines share; where they share none, a sender has to come back
to the machine that it began with.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core import signing

from models_app.models import Assistant, Model
from models_app.services.models import AddedModel, add_model, name_of
from models_app.storage import Readable, StoreFailed, TooLarge
from models_app.storage.staging import remove_unheld
from studio.access.models import User
from studio.errors import Conflict, Invalid

KEPT_FOR = timedelta(days=1)
SALT = "models_app.uploads"
PIECE = 1024 * 1024


class WrongOffset(Conflict):
    """The sender and the file do not agree on how much has arrived; `details.offset` is right."""

    code = "offset"

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes have arrived. Go on from there.", offset=offset)


@dataclass(frozen=True, slots=True)
class Upload:
    """A model of `size` bytes with this SHA-256 (hexadecimal), on its way to an assistant."""

    assistant_id: int
    user_id: int
    file_name: str
    size: int
    sha256: str
    began_at: int  # seconds since 1970

    @property
    def id(self) -> str:
        """Signed, so that it says by itself whose it is and what comes."""
        parts = [self.assistant_id, self.user_id, self.file_name, self.size, self.sha256, self.began_at]
        return signing.dumps(parts, salt=SALT, compress=True)

    @property
    def expires_at(self) -> float:
        return self.began_at + KEPT_FOR.total_seconds()

    @property
    def path(self) -> Path:
        facts = f"{self.assistant_id} {self.user_id} {self.file_name} {self.size} {self.sha256}"
        return _folder() / hashlib.sha256(facts.encode()).hexdigest()

    @property
    def offset(self) -> int:
        """How many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def begin_upload(*, actor: User, assistant: Assistant, file_name: str, size: int, sha256: str) -> Upload:
    """The same upload again, when it was begun before. Raises Invalid, TooLarge."""
    name_of(file_name)
    if size > settings.MAX_MODEL_BYTES:
        raise TooLarge(settings.MAX_MODEL_BYTES)
    return Upload(assistant.pk, actor.pk, file_name, size, sha256.lower(), int(time.time()))


def upload_of(assistant: Assistant, user: User, upload_id: str) -> Upload | None:
    """None for what is not this person's upload to this assistant, or is too old."""
    try:
        upload = Upload(*signing.loads(upload_id, salt=SALT, max_age=KEPT_FOR))
    except signing.BadSignature:
        return None
    return upload if (upload.assistant_id, upload.user_id) == (assistant.pk, user.pk) else None


def receive(upload: Upload, source: Readable, offset: int) -> int:
    """Add what the source gives; how many bytes have arrived then. What came before a cut stays.

    Raises WrongOffset, TooLarge for more than was announced, and Conflict while another request brings the same.
    """
    with _held(upload) as file:
        have = file.seek(0, os.SEEK_END)
        if offset != have:
            raise WrongOffset(have)
        while piece := source.read(PIECE):
            if have + len(piece) > upload.size:
                raise TooLarge(upload.size)
            have += file.write(piece)
    return have


def finish_upload(*, actor: User, assistant: Assistant, upload: Upload) -> AddedModel:
    """All of it has arrived. What is no model is thrown away; only a store that is away is worth another try."""
    try:
        with _held(upload) as file:
            file.seek(0)
            added = add_model(
                actor=actor,
                assistant=assistant,
                source=file,
                file_name=upload.file_name,
                origin=Model.Origin.UPLOADED,
                checksum=upload.sha256,
            )
    except StoreFailed:
        raise
    except (Conflict, Invalid):
        drop(upload)
        raise
    drop(upload)
    return added


def drop(upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)


@contextmanager
def _held(upload: Upload) -> Iterator[BinaryIO]:
    upload.path.parent.mkdir(parents=True, exist_ok=True)
    with upload.path.open("ab+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Another request brings this upload just now. Try again in a moment.", code="busy") from None
        yield file


def _folder() -> Path:
    return settings.ARTIFACTS_DIR / "unfinished"


def sweep() -> int:
    """Remove what nobody went on with for a day; how many."""
    return remove_unheld(_folder(), KEPT_FOR.total_seconds())
