"""A model into Parley: all of it at once, and in parts after a connection broke, by this run or one that was killed."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from parley_cli import clock
from parley_cli.client import PASSING, Answer, path_of
from parley_cli.download import digest_of
from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    from parley_cli.command import Session

PART = 64 * 1024**2  # a proxy may keep a whole request before it hands it on, and loses it with the connection
PIECE = 256 * 1024
TRIES = 6  # in a row that bring nothing
PAUSE = 1.0
SAMPLE = 64 * 1024


class Changed(Failure):
    pass


class Sending:
    """A file that is hashed while it is sent, so that it is read once."""

    def __init__(self, file: BinaryIO, size: int, advance: Callable[[int], None]) -> None:
        self.file, self.size, self.advance = file, size, advance
        self._digest, self._hashed = hashlib.sha256(), 0

    def hash_to(self, offset: int) -> None:
        """What an earlier run has sent."""
        self.file.seek(self._hashed)
        while self._hashed < offset and (piece := self.file.read(min(PIECE, offset - self._hashed))):
            self.hash(self._hashed, piece)

    def hash(self, position: int, piece: bytes) -> None:
        """A piece of the file that begins at this byte; what is sent again counts once."""
        fresh = memoryview(piece)[self._hashed - position :]
        self._digest.update(fresh)
        self._hashed += len(fresh)

    def hexdigest(self) -> str:
        self.hash_to(self.size)
        return self._digest.hexdigest()


class Part:
    """The pieces of so much of a file. Its length lets it be sent without chunks. Raises Changed at its end, where the
    other side would wait for the rest."""

    def __init__(self, sending: Sending, offset: int, most: int) -> None:
        self._sending, self._offset, self._length = sending, offset, min(most, sending.size - offset)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        at, end, file = self._offset, self._offset + self._length, self._sending.file
        self._sending.hash_to(at)
        file.seek(at)
        while at < end:
            piece = file.read(min(PIECE, end - at))
            if not piece:
                raise Changed(f"{file.name} changed while it was sent. Start again.")
            self._sending.hash(at, piece)
            self._sending.advance(len(piece))
            at += len(piece)
            yield piece


def send(session: "Session", file: Path, name: str) -> Any:
    """The model as Parley has it now. The same bytes under the same name are no failure."""
    if not file.is_file():
        raise Failure(f"{file} is no file.", Code.USAGE)
    if (known := _known(session, name, file)) is not None:
        session.out.note(f"{name} is there already, with the same bytes.")
        return known
    begun = _begin(session, file, name)
    with session.out.progress(name, begun["size"]) as advance, file.open("rb") as stream:
        sending = Sending(stream, begun["size"], advance)
        try:
            made = _send_all(session, sending, begun)
        except (KeyboardInterrupt, Changed):
            with contextlib.suppress(Failure):
                session.client.send("DELETE", begun["url"], again=False)
            raise
        if made.data["hash"] != sending.hexdigest():
            with contextlib.suppress(Failure):
                session.client.delete("projects", session.project, "models", made.data["model"])
            raise Failure(f"{file} arrived damaged, or changed while it was sent. Try again.")
    return made.data


def _known(session: "Session", name: str, file: Path) -> Any:
    """A model of this name and these bytes. Raises Failure for other bytes."""
    try:
        found = session.client.get("projects", session.project, "models", name, "about")
    except Failure as failure:
        if failure.status == 404 and failure.reason == "NotFound":
            return None
        raise
    if found["hash"] != digest_of(file):
        raise Failure(f"There is another model called {name}. Give --name.", Code.CONFLICT, status=409)
    return found


def _begin(session: "Session", file: Path, name: str) -> Any:
    """An upload, or the one of the same bytes that broke off."""
    body = {"name": f"{name}.tar.gz", "size": file.stat().st_size, "key": _key(file)}
    return session.client.send("POST", path_of("projects", session.project, "uploads"), json=body).data


def _key(file: Path) -> str:
    """Tells a file from what it was before and from others, without reading all of it."""
    facts = file.stat()
    found = hashlib.sha256(f"{facts.st_size} {facts.st_mtime_ns} ".encode())
    with file.open("rb") as stream:
        found.update(stream.read(SAMPLE))
        stream.seek(max(0, facts.st_size - SAMPLE))
        found.update(stream.read(SAMPLE))
    return found.hexdigest()


def _send_all(session: "Session", sending: Sending, begun: Any) -> Answer:
    """What has not arrived, at once; in parts from the first trouble on. An empty part at the end brings the answer
    that was lost."""
    vain, patience = 0, clock.Deadline(session.client.patience)
    offset, most = int(begun["offset"]), begun["size"]
    sending.advance(offset)
    while True:
        problem: Failure | None = None
        try:
            answer = _send_part(session, sending, begun, offset, most)
            if "offset" not in answer.data:
                return answer
            reached = int(answer.data["offset"])
        except Failure as failure:
            reached, problem = _offset_after(session, begun, failure, most), failure
            most = PART
        sending.advance(reached - sending.file.tell())
        if reached > offset:
            vain, patience = 0, clock.Deadline(session.client.patience)
        elif problem is not None:
            vain += 1
            if vain >= TRIES and (problem.status not in PASSING or patience.is_over):
                raise problem
        if problem is not None:
            clock.pause(PAUSE * min(vain or 1, TRIES))
        offset = reached


def _send_part(session: "Session", sending: Sending, begun: Any, offset: int, most: int) -> Answer:
    data = Part(sending, offset, most)
    headers = {"Content-Type": "application/gzip", "Upload-Offset": str(offset)}
    return session.client.send("PATCH", begun["url"], data=data, headers=headers, again=False)


def _offset_after(session: "Session", begun: Any, failure: Failure, most: int) -> int:
    """How much has arrived although a part failed. Raises what cannot be mended."""
    if isinstance(at := failure.details.get("offset"), int):
        return at
    is_too_long = failure.status == 413 and most > PART  # for a proxy
    if failure.code is not Code.UNREACHABLE and failure.status != 409 and not is_too_long:
        raise failure
    try:
        return _arrived(session, begun)
    except Failure as gone:
        raise failure from gone


def _arrived(session: "Session", begun: Any) -> int:
    """Of a finished one all of it."""
    client = session.client
    return int(client.send("GET", begun["url"], patience=client.patience).data["offset"])
