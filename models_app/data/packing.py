"""A project as a zip, made while it is sent."""

import zipfile
from collections.abc import Iterator, Mapping


class _Pipe:
    """Takes what zipfile writes and gives it out; zipfile asks nothing but `write` and `flush` of it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def zipped(folder: str, files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The files below `folder`, file by file, as `read_zip` takes them again."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(f"{folder}/{path}", content)
            yield pipe.take()
    yield pipe.take()
