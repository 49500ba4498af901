"""Bytes from Parley into a file: whole or not at all, checked, going on where a connection broke."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from parley_cli import clock
from parley_cli.client import Client, path_of, unreachable
from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    from parley_cli.command import Session

PIECE = 64 * 1024  # at most so much of what has come is lost when the connection breaks
READ_SIZE = 1024 * 1024
TRIES = 6  # in a row that bring nothing
PAUSE = 1.0
AS_IT_IS = {"Accept": "*/*", "Accept-Encoding": "identity"}


def fetch_model(session: "Session", name: str, path: Path, *, overwrite: bool) -> tuple[str, int]:
    """Its SHA-256 and size in bytes."""
    address = path_of("projects", session.project, "models", name)
    head = session.client.ask("HEAD", address, headers=AS_IT_IS)
    digest, total = head.headers["ETag"].removeprefix("W/").strip('"'), int(head.headers["Content-Length"])
    if path.exists() and not overwrite:
        if path.stat().st_size == total and digest_of(path) == digest:
            session.out.note(f"{path} is this model already.")
            return digest, total
        raise Failure(f"{path} is there already, and is something else: --overwrite replaces it.", Code.CONFLICT)
    with session.out.progress(name, total) as advance:
        fetch(session.client, address, path, digest=digest, total=total, advance=advance)
    return digest, total


def fetch(client: Client, address: str, path: Path, *, digest: str, total: int, advance: Callable[[int], None]) -> None:
    """The part that has come is kept for the next try when the connection is gone, and removed by Ctrl-C."""
    part = path.with_name(f".{path.name}.{digest[:12]}.part")
    try:
        _fill(client, address, part, digest, total, advance)
        if digest_of(part) != digest:
            part.unlink()
            raise Failure(f"{path.name} came damaged: its SHA-256 is another one. Try again.")
        part.replace(path)
    except KeyboardInterrupt:
        part.unlink(missing_ok=True)
        raise


def _fill(client: Client, address: str, part: Path, digest: str, total: int, advance: Callable[[int], None]) -> None:
    vain = 0
    have = part.stat().st_size if part.exists() else 0
    advance(have)
    while have < total:
        before = have
        try:
            _append(client, address, part, digest, advance)
        except requests.RequestException as error:
            problem: Failure | None = unreachable(client.url, error)
        else:
            problem = None
        have = part.stat().st_size if part.exists() else 0
        vain = 0 if have > before else vain + 1
        if vain >= TRIES:
            raise problem or Failure(f"{client.url} sends only a part of it.", Code.UNREACHABLE)
        if have < total:
            clock.pause(PAUSE * vain)
    if have > total:
        part.unlink()
        raise Failure("More came than was announced. Try again.")


def _append(client: Client, address: str, part: Path, digest: str, advance: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = dict(AS_IT_IS)
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{digest}"'}
    with client.ask("GET", address, headers=headers, stream=True, patience=client.patience) as response:
        whole = response.status_code == 200
        if whole and have:
            advance(-have)
        with part.open("wb" if whole else "ab") as file:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                advance(len(piece))


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return digest_of_stream(file.read)


def digest_of_stream(read: Callable[[int], bytes]) -> str:
    found = hashlib.sha256()
    while piece := read(READ_SIZE):
        found.update(piece)
    return found.hexdigest()
