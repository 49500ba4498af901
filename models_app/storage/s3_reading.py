"""Reading an object from S3: piece by piece, over connections that break, and never a wrong byte at the end."""

import hashlib
import io
import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from models_app.storage.protocol import StoreFailed
from models_app.storage.s3_client import CUT, DAMAGED, Place, failed, in_words, word_of

log = structlog.get_logger()

RESUMES = 4  # in a row, each of which brought less than
PROGRESS = 1024 * 1024  # bytes
PAUSE_SECONDS = 0.25  # before the first; each waits twice as long as the one before

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)\Z")


class Hash:
    """The SHA-256 of what comes block by block. One is hashed by another thread while the next one comes.

    Hashing takes about as long as reading from a near server, so one after the other would halve the speed.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._before: Future[None] | None = None

    def add(self, block: bytes) -> None:
        self._wait()
        self._before = _threads(os.getpid()).submit(self._digest.update, block)

    def hexdigest(self) -> str:
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._before is not None:
            self._before.result()


@cache
def _threads(_process: int) -> ThreadPoolExecutor:
    """Shared by all downloads: a slow one holds none. A forked process makes its own."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sha256")


class Reading(io.RawIOBase):
    """The bytes of one object from `start` on.

    A connection that breaks is made anew where it broke. No If-Match then: bytes of one name never differ, but an
    object that was copied onto itself may have another ETag. What is read from its first byte is hashed, and the last
    piece of a damaged object is not given out: nobody takes it for whole.
    """

    def __init__(self, client: Any, place: Place, key: str, sha256: str, start: int) -> None:
        super().__init__()
        self._client = client
        self._place = place
        self._object = {"Bucket": place.bucket, "Key": key}
        self._sha256 = sha256
        self._hash = Hash() if start == 0 else None
        self._position = start
        self._end: int | None = None
        self._resumes, self._resumed_at = 0, start
        self._body: Any = io.BytesIO()
        self._ask()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

    def _read(self, size: int) -> bytes:
        """Up to `size` bytes; none only at the end."""
        while self._position < (self._end or 0):
            problem: Exception | None = None
            try:
                if block := self._body.read(size):
                    return self._checked(block)
            except (BotoCoreError, HTTPError, OSError) as error:
                problem = error
            self._resume(problem)
        return b""

    def _checked(self, block: bytes) -> bytes:
        self._position += len(block)
        if self._hash is not None:
            self._hash.add(block)
            if self._position == self._end and self._hash.hexdigest() != self._sha256:
                log.error("artifact damaged", sha256=self._sha256, found=self._hash.hexdigest())
                raise failed(self._place, DAMAGED, "store-damaged")
        return block

    def _resume(self, problem: Exception | None) -> None:
        self._body.close()
        if self._position - self._resumed_at >= PROGRESS:
            self._resumes, self._resumed_at = 0, self._position
        while True:
            if self._resumes == RESUMES:
                log.warning("artifact cut", sha256=self._sha256, position=self._position, error=str(problem))
                raise failed(self._place, CUT, "store-cut") from problem
            time.sleep(PAUSE_SECONDS * 2**self._resumes)
            self._resumes += 1
            log.info("artifact resumed", sha256=self._sha256, position=self._position, error=str(problem))
            try:
                return self._ask()
            except StoreFailed as error:
                if error.code not in {"store-unreachable", "store-cut", "store-slow", "store-busy"}:
                    raise
                if self._resumes == RESUMES:
                    raise
                problem = error

    def _ask(self) -> None:
        more = {"Range": f"bytes={self._position}-"} if self._position else {}
        with in_words(self._place, self._sha256):
            try:
                answer = self._client.get_object(**self._object, **more)
            except ClientError as error:
                if self._end is None and word_of(error) in {"InvalidRange", "416"}:
                    self._end = self._position  # it has no byte there
                    return
                raise
        self._body = answer["Body"]
        total = self._total(answer)
        if self._end is not None and total != self._end:
            raise failed(self._place, DAMAGED, "store-damaged")
        self._end = total

    def _total(self, answer: dict[str, Any]) -> int:
        """How long the whole object is. Raises StoreFailed for an answer that does not begin where it should."""
        if not self._position:
            return int(answer["ContentLength"])
        found = _CONTENT_RANGE.match(answer.get("ContentRange", ""))
        if found is None or int(found[1]) != self._position:
            self._body.close()
            raise StoreFailed("The artifact store does not give out parts of files.", code="store-refused")
        return int(found[2])
