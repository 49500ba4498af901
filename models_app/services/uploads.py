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
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path

from django.conf import settings
from django.core import signing

from models_app.models import Assistant, Model
from models_app.services.models import AddedModel, add_model, name_of, warnings_of
from models_app.storage import TooLarge
from models_app.storage.staging import no_room_said, remove_unheld
from studio.access.models import User
from studio.errors import Conflict, Invalid
from studio.readable import Readable
from studio.uploads import UploadCut

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
    """A model of `size` bytes on its way to an assistant. `key` is what its sender calls these bytes: the SHA-256, or
    anything else that tells them from others, while `sha256` is empty."""

    assistant_id: int
    user_id: int
    file_name: str
    size: int
    sha256: str  # hexadecimal
    key: str
    began_at: int  # seconds since 1970

    @property
    def id(self) -> str:
        """Signed, so that it says by itself whose it is and what comes."""
        parts = [self.assistant_id, self.user_id, self.file_name, self.size, self.sha256, self.key, self.began_at]
        return signing.dumps(parts, salt=SALT, compress=True)

    @property
    def expires_at(self) -> float:
        return self.began_at + KEPT_FOR.total_seconds()

    @property
    def path(self) -> Path:
        facts = f"{self.assistant_id} {self.user_id} {self.file_name} {self.size} {self.key}"
        return _folder() / hashlib.sha256(facts.encode()).hexdigest()

    @property
    def offset(self) -> int:
        """How many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return self.size if self.has_become is not None else 0

    @property
    def has_become(self) -> Model | None:
        """The model that this upload has been made to, or an equal one."""
        models = Model.objects.current().select_related("assistant")
        named = models.filter(assistant_id=self.assistant_id, name=name_of(self.file_name))
        if self.sha256:
            return named.filter(artifact_id=self.sha256).first()
        began = datetime.fromtimestamp(self.began_at, UTC)
        return named.filter(created_by=self.user_id, size=self.size, created_at__gte=began).first()


def begin_upload(
    *, actor: User, assistant: Assistant, file_name: str, size: int, sha256: str = "", key: str = ""
) -> Upload:
    """The same upload again, when it was begun before: with the same SHA-256, or the same key where the sender does
    not know that yet. Raises Invalid, TooLarge."""
    name_of(file_name)
    if size > settings.MAX_MODEL_BYTES:
        raise TooLarge(settings.MAX_MODEL_BYTES)
    if not (sha256 or key):
        raise Invalid("Say the file's sha256, or a key that tells its bytes from others.")
    return Upload(assistant.pk, actor.pk, file_name, size, sha256.lower(), sha256.lower() or key, int(time.time()))


def upload_of(assistant: Assistant, user: User, upload_id: str) -> Upload | None:
    """None for what is not this person's upload to this assistant, or is too old."""
    try:
        upload = Upload(*signing.loads(upload_id, salt=SALT, max_age=KEPT_FOR))
    except signing.BadSignature:
        return None
    return upload if (upload.assistant_id, upload.user_id) == (assistant.pk, user.pk) else None


def receive(
    *, actor: User, assistant: Assistant, upload: Upload, source: Readable, offset: int, whole: bool = False
) -> AddedModel | None:
    """Add what the source gives, and make a model of it when all has arrived. What came before a cut stays.

    `whole` says that the source brings all of the file: it is then looked into while it arrives. Raises WrongOffset,
    TooLarge for more than was announced, Conflict while another request brings the same, UploadCut, and what add_model
    raises: what is no model is thrown away, only a store that is away is worth another try.
    """
    if not upload.path.exists() and offset == upload.size and (model := upload.has_become) is not None:
        return AddedModel(model, existed=True, warnings=warnings_of(model))  # whose answer was lost
    with _held(upload) as file:
        arriving = _Arriving(file, source, offset, upload.size)
        if not whole:
            if not arriving.is_all():
                return None
            file.seek(0)
        try:
            added = add_model(
                actor=actor,
                assistant=assistant,
                source=arriving if whole else file,
                at=upload.path,
                file_name=upload.file_name,
                origin=Model.Origin.UPLOADED,
                checksum=upload.sha256 or None,
            )
        except UploadCut:
            raise
        except (Conflict, Invalid):
            drop(upload)
            raise
        drop(upload)
    return added


class _Arriving:
    """What a source gives, which stays in the file as it passes."""

    def __init__(self, file: FileIO, source: Readable, offset: int, most: int) -> None:
        self._file, self._source, self._most = file, source, most
        self._have = file.seek(0, os.SEEK_END)
        if offset != self._have:
            raise WrongOffset(self._have)

    def read(self, size: int, /) -> bytes:
        """Raises TooLarge, StoreFull."""
        piece = self._source.read(size)
        self._have += len(piece)
        if self._have > self._most:
            raise TooLarge(self._most)
        with no_room_said():
            _write(self._file, piece)
        return piece

    def is_all(self) -> bool:
        """After reading the source to its end."""
        while self.read(PIECE):
            pass
        return self._have == self._most


def _write(file: FileIO, piece: bytes) -> None:
    """All of it: a raw file may take a part."""
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]


def drop(upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)


def give_up(upload: Upload) -> None:
    """Remove what has arrived. Raises Conflict while a request brings it."""
    if upload.path.exists():
        with _held(upload):
            drop(upload)


@contextmanager
def _held(upload: Upload) -> Iterator[FileIO]:
    """The upload's file, while it is the one at its path: a finished one has become a model's."""
    upload.path.parent.mkdir(parents=True, exist_ok=True)
    with upload.path.open("ab+", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_there = os.path.samestat(os.fstat(file.fileno()), upload.path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_there = False
        if not is_there:
            raise Conflict("Another request brings this upload just now. Try again in a moment.", code="busy")
        yield file


def _folder() -> Path:
    return settings.ARTIFACTS_DIR / "unfinished"


def sweep() -> int:
    """Remove what nobody went on with for a day; how many."""
    return remove_unheld(_folder(), KEPT_FOR.total_seconds())
