"""Reads a .tar.gz as a stream: nothing is unpacked to disk, memory stays flat, and every way in which it can be bad
ends in one `ArchiveError` with a sentence for people.

The standard library's `tarfile` is not used for the walk: on damaged input it raises a dozen unrelated exceptions, and
it reads an extended header of any declared size into memory. Its `TarInfo.frombuf`, which decodes one header block, is
all we take.
"""

import re
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studio.readable import Readable

BLOCK = 512
CHUNK = 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 16 + zlib.MAX_WBITS  # the gzip wrapper, with its checksum verified by zlib
EXTENDED_HEADER_BYTES = 1024 * 1024
DRIVE = re.compile(r"^[A-Za-z]:")

REGULAR = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
LINKS = frozenset({tarfile.LNKTYPE, tarfile.SYMTYPE})
DEVICES = frozenset({tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE})
EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME})


class ArchiveError(Exception):
    """What is wrong with an archive, in one sentence that can be shown to whoever uploaded it."""


@dataclass(frozen=True)
class Limits:
    unpacked_bytes: int = 8 * 1024**3
    ratio: int = 200  # unpacked to packed; trained models stay below 20
    ratio_free_bytes: int = 64 * 1024**2  # the ratio counts only beyond this: small files of zeros are harmless
    members: int = 20_000
    seconds: float = 180.0  # of computing: a slow sender takes as long as it likes
    file_bytes: int = 32 * 1024**2  # of a single file that we read into memory


@dataclass(frozen=True)
class Member:
    name: str  # without "./" in front and "/" behind; the archive's own root is ""
    size: int
    is_file: bool


class Gunzip:
    """The unpacked bytes of a gzip stream, never more than a chunk ahead of what is asked for."""

    def __init__(self, stream: Readable, limits: Limits, clock: Callable[[], float] = time.thread_time) -> None:
        self._stream, self._limits, self._clock = stream, limits, clock
        self._deadline = clock() + limits.seconds
        self._inflate = zlib.decompressobj(GZIP_WINDOW)
        self._packed = b""  # read from the stream, not yet given to zlib
        self._ready = b""  # unpacked, of which `_taken` bytes have been handed out
        self._taken = 0
        self._ended = False
        self.packed_bytes = 0
        self.unpacked_bytes = 0
        self._expect_gzip()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end. Callers bound `size`."""
        pieces = []
        while size > 0 and (self._waiting or self._fill()):
            pieces.append(self._ready[self._taken : self._taken + size])
            self._taken += len(pieces[-1])
            size -= len(pieces[-1])
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        while size > 0:
            if not self._waiting and not self._fill():
                raise ArchiveError("The archive is truncated: it ends in the middle of a file.")
            passed = min(size, self._waiting)
            self._taken += passed
            size -= passed

    def drain(self) -> None:
        """To the end, because only there the checksum tells whether anything was damaged on the way."""
        while self._fill():
            pass

    @property
    def _waiting(self) -> int:
        return len(self._ready) - self._taken

    def _expect_gzip(self) -> None:
        if not self._pull():
            raise ArchiveError("The file is empty.")
        while len(self._packed) < len(GZIP_MAGIC) and self._pull():
            pass
        if not self._packed.startswith(GZIP_MAGIC):
            raise ArchiveError("The file is not a gzip archive. A Rasa model is a .tar.gz file.")

    def _pull(self) -> bool:
        data = self._stream.read(CHUNK)
        self.packed_bytes += len(data)
        self._packed += data
        return bool(data)

    def _fill(self) -> bool:
        if self._ended:
            return False
        if not self._packed and not self._pull():
            raise ArchiveError("The archive is truncated: its end is missing.")
        try:
            data = self._inflate.decompress(self._packed, CHUNK)
        except zlib.error as error:
            raise ArchiveError("The archive is damaged: its compressed data cannot be read.") from error
        self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._ready, self._taken = data, 0
        self._count(len(data))
        if self._inflate.eof:
            self._next_gzip_member()
        return True

    def _count(self, size: int) -> None:
        self.unpacked_bytes += size
        limits = self._limits
        if self.unpacked_bytes > limits.unpacked_bytes:
            raise ArchiveError(f"The archive unpacks to more than {limits.unpacked_bytes:,} bytes, the limit.")
        beyond_free = self.unpacked_bytes > limits.ratio_free_bytes
        if beyond_free and self.unpacked_bytes > self.packed_bytes * limits.ratio:
            raise ArchiveError(f"The archive unpacks to more than {limits.ratio} times its size, as no model does.")
        if self._clock() > self._deadline:
            raise ArchiveError(f"Unpacking the archive took more than {limits.seconds:g} seconds of computing.")

    def _next_gzip_member(self) -> None:
        """After a gzip stream may come padding of zeros or another stream, by the format's rules; nothing else."""
        self._packed = self._packed.lstrip(b"\0")
        while len(self._packed) < len(GZIP_MAGIC) and self._pull():
            self._packed = self._packed.lstrip(b"\0")
        if not self._packed:
            self._ended = True
        elif self._packed.startswith(GZIP_MAGIC):
            self._inflate = zlib.decompressobj(GZIP_WINDOW)
        else:
            raise ArchiveError("The archive is damaged: something else follows its end.")


class Tarball:
    """Walks the members of a .tar.gz once, from front to back.

    >>> for member in (tarball := Tarball(stream, Limits())):
    ...     if member.name == "metadata.json":
    ...         data = tarball.read()

    A member can be read until the walk goes on. The walk ends with the whole stream read and its checksum right.
    """

    def __init__(self, stream: Readable, limits: Limits, clock: Callable[[], float] = time.thread_time) -> None:
        self._limits = limits
        self._gunzip = Gunzip(stream, limits, clock)
        self._unread = 0  # bytes of the present member
        self._padding = 0
        self.members = 0

    @property
    def unpacked_bytes(self) -> int:
        return self._gunzip.unpacked_bytes

    def __iter__(self) -> Iterator[Member]:
        while (header := self._header()) is not None:
            yield _member(header)
            self._gunzip.skip(self._unread + self._padding)
            self._unread = self._padding = 0
        self._gunzip.drain()

    def read(self) -> bytes:
        """The present member's bytes."""
        if self._unread > self._limits.file_bytes:
            raise ArchiveError(f"A description inside the archive is larger than {self._limits.file_bytes:,} bytes.")
        data = self._gunzip.read(self._unread)
        if len(data) < self._unread:
            raise ArchiveError("The archive is truncated: it ends in the middle of a file.")
        self._unread = 0
        return data

    def _header(self) -> tarfile.TarInfo | None:
        """The next real member, with the extended headers in front of it applied."""
        overrides: dict[str, str] = {}
        while (block := self._block()) is not None:
            header = _decode(block)
            self._enter(header)
            if header.type not in EXTENDED:
                self._apply(overrides, header)
                return header
            if header.type != tarfile.XGLTYPE:
                overrides |= self._extended(header)
        return None

    def _block(self) -> bytes | None:
        block = self._gunzip.read(BLOCK)
        if not block or not block.strip(b"\0"):
            return None  # the end: nothing more, or the block of zeros that says so
        if len(block) < BLOCK:
            raise ArchiveError("The archive is truncated: it ends in the middle of a header.")
        return block

    def _enter(self, header: tarfile.TarInfo) -> None:
        self.members += 1
        if self.members > self._limits.members:
            raise ArchiveError(f"The archive holds more than {self._limits.members:,} files.")
        self._measure(header)

    def _measure(self, header: tarfile.TarInfo) -> None:
        if header.size < 0:
            raise ArchiveError("The archive is damaged: a file in it has a negative size.")
        self._unread = header.size if header.type in REGULAR | EXTENDED else 0
        self._padding = -self._unread % BLOCK

    def _extended(self, header: tarfile.TarInfo) -> dict[str, str]:
        if self._unread > EXTENDED_HEADER_BYTES:
            raise ArchiveError("The archive is damaged: a file's header is larger than a header can be.")
        data = self.read()
        self._gunzip.skip(self._padding)
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": _text(data.rstrip(b"\0"))}
        return _pax_records(data)

    def _apply(self, overrides: dict[str, str], header: tarfile.TarInfo) -> None:
        if any(key.startswith("GNU.sparse") for key in overrides):
            raise ArchiveError("The archive holds a sparse file, which no model contains.")
        header.name = overrides.get("path", header.name)
        if "size" in overrides:
            header.size = _number(overrides["size"])
            self._measure(header)


def _decode(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveError("The archive is damaged or not a tar archive: a file's header cannot be read.") from error


def _pax_records(data: bytes) -> dict[str, str]:
    """Records of "<length> <key>=<value>\\n", the length counting itself."""
    records = {}
    position = 0
    while position < len(data) and data[position]:
        length_text, _, rest = data[position : position + 32].partition(b" ")
        length = _number(_text(length_text))
        record = data[position + len(length_text) + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        if not rest or not equals or record[-1:] != b"\n":
            raise ArchiveError("The archive is damaged: a file's extended header cannot be read.")
        records[_text(key)] = _text(value)
        position += length
    return records


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ArchiveError("The archive is damaged: a size in it is not a number.")
    return int(text)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _member(header: tarfile.TarInfo) -> Member:
    name = header.name
    shown = _shown(name)
    if header.type in LINKS:
        raise ArchiveError(f"The archive holds a link ({shown}); a model consists of plain files.")
    if header.type in DEVICES:
        raise ArchiveError(f"The archive holds a device ({shown}); a model consists of plain files.")
    if header.type not in REGULAR and header.type != tarfile.DIRTYPE:
        raise ArchiveError(f"The archive holds something that is neither file nor folder ({shown}).")
    check_path(name)
    return Member(_normal(name), header.size, header.type in REGULAR)


def check_path(name: str) -> None:
    """Refuse a path that would land outside the folder it is unpacked into, on any system."""
    slashed = name.replace("\\", "/")
    # Rasa writes the root folder of its own archives as "/".
    if (slashed.startswith("/") and slashed.strip("/")) or DRIVE.match(name):
        raise ArchiveError(f"The archive holds an absolute path ({_shown(name)}).")
    if ".." in slashed.split("/"):
        raise ArchiveError(f"The archive holds a path that climbs out of it ({_shown(name)}).")
    if "\0" in name:
        raise ArchiveError(f"The archive holds a name with a NUL character ({_shown(name)}).")


def _normal(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _shown(name: str) -> str:
    """A name from outside, fit for a sentence: printable and not endless."""
    readable = "".join(letter if letter.isprintable() else "�" for letter in name)
    return readable if len(readable) <= 80 else readable[:79] + "…"
