"""A model into Parley, in parts: killed, cut or interrupted, it goes on where it stopped. A small one goes at once."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from parley_cli import clock
from parley_cli.client import PASSING, path_of
from parley_cli.download import digest_of
from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    from parley_cli.command import Session

PART = 64 * 1024**2  # of a request; proxies keep a whole one before they hand it on
AT_ONCE = PART  # what is no larger begins anew
TRIES = 6  # in a row that bring nothing
PAUSE = 1.0


class Changed(Failure):
    pass


class Reading:
    """So much of a file from where it stands; its length lets it be sent without chunks. Raises Changed at its end,
    where the other side would wait for the rest."""

    def __init__(self, file: BinaryIO, length: int, advance: Callable[[int], None]) -> None:
        self._file, self._length, self._left, self._advance = file, length, length, advance

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._left if size < 0 else min(size, self._left))
        if not piece and self._left:
            raise Changed(f"{self._file.name} changed while it was sent. Start again.")
        self._left -= len(piece)
        self._advance(len(piece))
        return piece


def send(session: "Session", file: Path, name: str) -> Any:
    """The model as Parley has it now. The same bytes under the same name are no failure."""
    if not file.is_file():
        raise Failure(f"{file} is no file.", Code.USAGE)
    digest = digest_of(file)
    if (known := _known(session, name, digest)) is not None:
        session.out.note(f"{name} is there already, with the same bytes.")
        return known
    begun = _begin(session, file, name, digest)
    with session.out.progress(name, begun["size"]) as advance, file.open("rb") as stream:
        try:
            offset = int(begun["offset"])
            if begun["size"] <= AT_ONCE and not offset:
                if (made := _at_once(session, stream, begun, advance)) is not None:
                    return made
                offset = _arrived(session, begun)
            return _send_rest(session, stream, begun, offset, advance)
        except (KeyboardInterrupt, Changed):
            with contextlib.suppress(Failure):
                session.client.send("DELETE", begun["url"], again=False)
            raise


def _known(session: "Session", name: str, digest: str) -> Any:
    """A model of this name and these bytes. Raises Failure for other bytes."""
    try:
        found = session.client.get("projects", session.project, "models", name, "about")
    except Failure as failure:
        if failure.status == 404 and failure.reason == "NotFound":
            return None
        raise
    if found["hash"] != digest:
        raise Failure(f"There is another model called {name}. Give --name.", Code.CONFLICT, status=409)
    return found


def _begin(session: "Session", file: Path, name: str, digest: str) -> Any:
    """An upload, or the one of the same bytes that broke off."""
    body = {"name": f"{name}.tar.gz", "size": file.stat().st_size, "sha256": digest}
    return session.client.send("POST", path_of("projects", session.project, "uploads"), json=body).data


def _at_once(session: "Session", stream: BinaryIO, begun: Any, advance: Callable[[int], None]) -> Any:
    """None when the connection broke. Nothing is left there then, or all of it, when the answer alone was lost."""
    name = begun["name"].removesuffix(".tar.gz")
    data = Reading(stream, int(begun["size"]), advance)
    headers = {"Content-Type": "application/gzip", "X-Checksum-SHA256": begun["sha256"]}
    try:
        address = path_of("projects", session.project, "models", name)
        return session.client.send("PUT", address, data=data, headers=headers, again=False).data
    except Failure as failure:
        if failure.code is not Code.UNREACHABLE:
            raise
        advance(-stream.tell())
        return None


def _send_rest(session: "Session", stream: BinaryIO, begun: Any, offset: int, advance: Callable[[int], None]) -> Any:
    """From `offset` on. An empty part at the end brings the answer that was lost."""
    vain, patience = 0, clock.Deadline(session.client.patience)
    advance(offset)
    while True:
        problem: Failure | None = None
        try:
            found = _send_part(session, stream, begun, offset, advance)
            if "offset" not in found:
                return found
            reached = int(found["offset"])
        except Failure as failure:
            reached, problem = _offset_after(session, begun, failure), failure
        advance(reached - stream.tell())
        if reached > offset:
            vain, patience = 0, clock.Deadline(session.client.patience)
        elif problem is not None:
            vain += 1
            if vain >= TRIES and (problem.status not in PASSING or patience.is_over):
                raise problem
        if problem is not None:
            clock.pause(PAUSE * min(vain or 1, TRIES))
        offset = reached


def _send_part(session: "Session", stream: BinaryIO, begun: Any, offset: int, advance: Callable[[int], None]) -> Any:
    stream.seek(offset)
    data = Reading(stream, min(PART, int(begun["size"]) - offset), advance)
    headers = {"Content-Type": "application/gzip", "Upload-Offset": str(offset)}
    return session.client.send("PATCH", begun["url"], data=data, headers=headers, again=False).data


def _offset_after(session: "Session", begun: Any, failure: Failure) -> int:
    """How much has arrived although a part failed. Raises what cannot be mended."""
    if isinstance(at := failure.details.get("offset"), int):
        return at
    if failure.code is not Code.UNREACHABLE and failure.status != 409:
        raise failure
    try:
        return _arrived(session, begun)
    except Failure as gone:
        raise failure from gone


def _arrived(session: "Session", begun: Any) -> int:
    """Of a finished one all of it."""
    client = session.client
    return int(client.send("GET", begun["url"], patience=client.patience).data["offset"])
