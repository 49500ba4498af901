"""`python -m bench bucket`: models to and from a real S3 server through our store, against boto3 alone."""

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.rows import Row

if TYPE_CHECKING:
    from models_app.storage.s3 import S3Store

SIZE = 128 * 1024**2
PIECE = 256 * 1024  # as the model server reads
TIMES = 7
AIM = 0.9


def run() -> list[Row]:
    from models_app.storage.s3 import S3Store
    from models_app.storage.s3_client import Patience, client
    from tests.stack import s3

    with s3.running() as server, tempfile.TemporaryDirectory() as folder:
        place = server.place(bucket=server.make_bucket())
        store = S3Store(place, Path(folder) / "incoming")
        return [
            *_down(store, client(place, Patience(5, 20, 2)), Path(folder) / "file"),
            _up(store, client(place, Patience(5, 120, 4)), Path(folder) / "file"),
        ]


def _down(store: "S3Store", boto: Any, file: Path) -> list[Row]:
    name = _put(store, file)
    target = {"Bucket": store.place.bucket, "Key": f"{name[:2]}/{name}"}

    def alone() -> None:
        _read(boto.get_object(**target)["Body"])

    def hashing() -> None:
        """What somebody would write who wants the bytes and their hash."""
        digest = hashlib.sha256()
        _read(boto.get_object(**target)["Body"], digest.update)

    def ours() -> None:
        with store.open(name) as source:
            _read(source)

    return [
        _row("download from S3, hashed", ours, alone, "boto3 without a hash", AIM),
        _row("the same", ours, hashing, "boto3 and a hash", AIM),
    ]


def _up(store: "S3Store", boto: Any, file: Path) -> Row:
    """New bytes each time: the store sends nothing that is there."""

    def ours() -> None:
        _renew(file)
        with file.open("rb") as source:
            store.put(source)

    def alone() -> None:
        """Written to a file first, as ours are: what comes by HTTP can be sent only once."""
        _renew(file)
        with file.open("rb") as source, tempfile.NamedTemporaryFile(dir=file.parent) as staged:
            _copy(source, staged)
            boto.upload_file(staged.name, store.place.bucket, "alone")

    return _row("upload to S3, hashed twice", ours, alone, "boto3's upload_file", AIM)


def _row(what: str, ours: Callable[[], None], other: Callable[[], None], named: str, aim: float) -> Row:
    ours()
    other()
    pairs = [(_seconds(other), _seconds(ours)) for _ in range(TIMES)]
    ratio = statistics.median(theirs / own for theirs, own in pairs)
    speeds = [f"{SIZE / 1e6 / statistics.median(pair[which] for pair in pairs):.0f} MB/s" for which in (0, 1)]
    return Row(what, speeds[1], f"{named} {speeds[0]}", f"{ratio:.0%} of its speed", f"{aim:.0%}", ratio >= aim)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _read(source: Any, see: Callable[[bytes], object] = len) -> None:
    taken = 0
    while piece := source.read(PIECE):
        see(piece)
        taken += len(piece)
    assert taken == SIZE


def _put(store: "S3Store", file: Path) -> str:
    file.write_bytes(os.urandom(SIZE))
    with file.open("rb") as source:
        return store.put(source).sha256


def _renew(file: Path) -> None:
    with file.open("r+b") as target:
        target.write(os.urandom(64))


def _copy(source: Any, target: Any) -> None:
    while piece := source.read(1024 * 1024):
        target.write(piece)
    target.flush()
    os.fsync(target.fileno())
