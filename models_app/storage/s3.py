"""Artifacts in a bucket of S3 or what speaks like it: `<prefix><first two digits>/<sha256>`.

What arrives is staged in a folder of this machine. From there it goes up with its SHA-256, large files in parts with
one each, which the server compares; what it says that it has is compared here.
"""

import hashlib
import io
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.utils import ReadFileChunk

from models_app.storage.protocol import ArtifactMissing, Staged, Stored
from models_app.storage.s3_client import DAMAGED, Patience, Patiences, Place, client, failed, in_words, word_of
from models_app.storage.s3_reading import Reading
from models_app.storage.staging import PIECE, Incoming
from studio.readable import Readable

log = structlog.get_logger()

PART = 16 * 1024 * 1024  # S3 takes 10,000 parts: 160 GB
PARTS_AT_ONCE = 4
BLOCK = 1024 * 1024  # read at once; a download holds three
UNFINISHED_AFTER = timedelta(days=1)

# The bytes came by another upload of the same, or by an earlier try of ours whose answer was lost.
_MAY_BE_HERE = {"PreconditionFailed", "412", "ConditionalRequestConflict", "NoSuchUpload"}


class S3Store:
    """The ArtifactStore of any number of machines."""

    def __init__(self, place: Place, incoming: Path, patiences: Patiences | None = None) -> None:
        prefix = place.prefix.strip("/")
        self.place = place
        self.incoming = Incoming(incoming)
        self._patiences = patiences or Patiences()
        self._prefix = f"{prefix}/" if prefix else ""
        self._ours = re.compile(rf"{re.escape(self._prefix)}([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})\Z")

    @property
    def label(self) -> str:
        return f"bucket {self.place.bucket}/{self._prefix} of {self.place.endpoint or 'Amazon'}"

    def stage(self, source: Readable, *, limit: int | None = None) -> AbstractContextManager[Staged]:
        return self.incoming.stage(source, limit)

    def keep(self, staged: Staged) -> Stored:
        found = self._find(staged.sha256)
        if found is None:
            self._upload(staged, {"IfNoneMatch": "*"})
        elif not self._is_renewed(staged, found):
            self._upload(staged, {})
        return Stored(staged.sha256, staged.size)

    def put(self, source: Readable, *, limit: int | None = None) -> Stored:
        with self.stage(source, limit=limit) as staged:
            return self.keep(staged)

    def open(self, sha256: str, start: int = 0) -> BinaryIO:
        reading = Reading(self._client(self._patiences.reading), self.place, self._key(sha256), sha256, start)
        return io.BufferedReader(reading, BLOCK)

    def size(self, sha256: str) -> int:
        if (found := self._find(sha256)) is None:
            raise ArtifactMissing(sha256)
        return int(found["ContentLength"])

    def exists(self, sha256: str) -> bool:
        return self._find(sha256) is not None

    def delete(self, sha256: str) -> None:
        with in_words(self.place, sha256):
            self._client(self._patiences.reading).delete_object(**self._object(sha256))

    def older_than(self, moment: datetime) -> Iterator[str]:
        pages = self._client(self._patiences.reading).get_paginator("list_objects_v2")
        with in_words(self.place):
            for page in pages.paginate(Bucket=self.place.bucket, Prefix=self._prefix):
                for found in page.get("Contents", []):
                    if (ours := self._ours.match(found["Key"])) and found["LastModified"] < moment:
                        yield ours[2]

    def sweep(self) -> int:
        return self.incoming.sweep() + self._abort_unfinished(datetime.now(UTC) - UNFINISHED_AFTER)

    def check(self) -> None:
        """Listing is what says most about what is wrong, and needs a right that the sweep needs too."""
        with in_words(self.place):
            asking = self._client(self._patiences.asking)
            asking.list_objects_v2(Bucket=self.place.bucket, Prefix=self._prefix, MaxKeys=1)

    def refuses_second_write(self, sha256: str) -> bool:
        """Whether the server keeps to the condition with which we write, for an object that is there."""
        with in_words(self.place, sha256):
            try:
                self._client(self._patiences.asking).put_object(**self._object(sha256), Body=b"", IfNoneMatch="*")
            except ClientError as error:
                if word_of(error) in _MAY_BE_HERE:
                    return True
                raise
        return False

    # --- Objects ------------------------------------------------------------------------------------------------------

    def _client(self, patience: Patience) -> Any:
        return client(self.place, patience)

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{sha256[:2]}/{sha256}"

    def _object(self, sha256: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self._key(sha256)}

    def _find(self, sha256: str) -> dict[str, Any] | None:
        """What S3 knows of an object, None without one. A HEAD's refusal has no words: check() asks for them."""
        with in_words(self.place, sha256):
            try:
                found: dict[str, Any] = self._client(self._patiences.reading).head_object(**self._object(sha256))
            except ClientError as error:
                if not word_of(error).isdigit():
                    raise
                self.check()
                if word_of(error) != "404":
                    raise
                return None
        return found

    def _is_renewed(self, staged: Staged, found: dict[str, Any]) -> bool:
        """Make an object young again: copied onto itself it has a new date, and no byte is sent.

        Servers may refuse that, do it without a new date, or refuse it above 5 GB. Then the bytes are sent again, as
        they are when those there are not all.
        """
        if found["ContentLength"] != staged.size:
            log.error("artifact of another size is replaced", sha256=staged.sha256, size=found["ContentLength"])
            return False
        itself = self._object(staged.sha256)
        with in_words(self.place, staged.sha256):
            try:
                answer = self._client(self._patiences.writing).copy_object(
                    **itself, CopySource=itself, MetadataDirective="REPLACE", ChecksumAlgorithm="SHA256"
                )
            except ClientError as error:
                log.info("artifact is sent again to make it young", sha256=staged.sha256, error=word_of(error))
                return False
        return bool(answer["CopyObjectResult"]["LastModified"] > found["LastModified"])

    # --- Upload -------------------------------------------------------------------------------------------------------

    def _upload(self, staged: Staged, condition: dict[str, str]) -> None:
        """`condition` refuses to write over an object that came meanwhile; some servers know no such condition."""
        send = self._send_whole if staged.size <= PART else self._send_parts
        with in_words(self.place, staged.sha256):
            try:
                send(staged, condition)
            except ClientError as error:
                if condition and word_of(error) == "NotImplemented":
                    return send(staged, {})
                if word_of(error) not in _MAY_BE_HERE or not self._is_whole(staged):
                    raise

    def _is_whole(self, staged: Staged) -> bool:
        found = self._find(staged.sha256)
        return found is not None and found["ContentLength"] == staged.size

    def _send_whole(self, staged: Staged, condition: dict[str, str]) -> None:
        checksum = _base64(bytes.fromhex(staged.sha256))
        with staged.path.open("rb") as body:
            answer = self._client(self._patiences.writing).put_object(
                **self._object(staged.sha256), Body=body, ChecksumSHA256=checksum, **condition
            )
        self._compare(staged, answer, checksum)

    def _send_parts(self, staged: Staged, condition: dict[str, str]) -> None:
        """The parts lie unseen until the last request; when that does not come, they are taken away."""
        s3, target = self._client(self._patiences.writing), self._object(staged.sha256)
        upload = {**target, "UploadId": s3.create_multipart_upload(**target, ChecksumAlgorithm="SHA256")["UploadId"]}
        try:
            parts = self._sent(staged, upload)
            answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # else the sweep does it
                self._client(self._patiences.asking).abort_multipart_upload(**upload)
            raise
        self._compare(staged, answer, _of_parts(parts))

    def _sent(self, staged: Staged, upload: dict[str, str]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            numbers = range(1, -(-staged.size // PART) + 1)
            sending = [pool.submit(self._send_part, staged.path, upload, number) for number in numbers]
            try:
                return [part.result() for part in sending]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send_part(self, path: Path, upload: dict[str, str], number: int) -> dict[str, Any]:
        with ReadFileChunk.from_filename(str(path), (number - 1) * PART, PART) as body:
            checksum = _base64(_digest(body))
            body.seek(0)
            answer = self._client(self._patiences.writing).upload_part(
                **upload, PartNumber=number, Body=body, ChecksumSHA256=checksum
            )
        if answer.get("ChecksumSHA256", checksum) != checksum:
            raise failed(self.place, DAMAGED, "store-damaged")
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _compare(self, staged: Staged, answer: dict[str, Any], checksum: str) -> None:
        """A server that knows no checksums is asked how many bytes it has."""
        told = answer.get("ChecksumSHA256")
        if told.partition("-")[0] == checksum if told else self._is_whole(staged):
            return
        log.error("artifact arrived damaged", sha256=staged.sha256, checksum=told, expected=checksum)
        self.delete(staged.sha256)
        raise failed(self.place, DAMAGED, "store-damaged")

    def _abort_unfinished(self, moment: datetime) -> int:
        """End uploads in parts that began before `moment`: whoever sent them was killed."""
        s3, ended = self._client(self._patiences.reading), 0
        with in_words(self.place):
            for page in s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.place.bucket, Prefix=self._prefix
            ):
                for one in page.get("Uploads", []):
                    if self._ours.match(one["Key"]) and one["Initiated"] < moment:
                        with suppress(s3.exceptions.NoSuchUpload):
                            s3.abort_multipart_upload(
                                Bucket=self.place.bucket, Key=one["Key"], UploadId=one["UploadId"]
                            )
                            ended += 1
        return ended


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def _digest(body: Any) -> bytes:
    digest = hashlib.sha256()
    while piece := body.read(PIECE):
        digest.update(piece)
    return digest.digest()


def _of_parts(parts: list[dict[str, Any]]) -> str:
    """S3's checksum of an object in parts: the SHA-256 of their SHA-256."""
    return _base64(hashlib.sha256(b"".join(b64decode(part["ChecksumSHA256"]) for part in parts)).digest())
