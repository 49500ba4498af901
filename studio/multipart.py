"""One file of a multipart body, read as it comes: nothing of it is kept in memory or laid down on disk."""

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from studio.errors import Invalid
from studio.readable import Readable
from studio.uploads import UploadCut

PIECE = 64 * 1024  # read at once while the file has not begun yet
BESIDE = 1024 * 1024  # bytes of other fields and of headers; a body with more is no upload of ours


class NotMultipart(Invalid):
    """The body is not what its Content-Type says."""

    code = "multipart"

    def __init__(self, why: str) -> None:
        super().__init__(f"The body is no multipart form that could be read: {why}.")


class FilePart:
    """The first part called `field` of a multipart body. `find` comes first, then `read` until it gives nothing.

    The body is read to its end, so that one whose connection was cut never passes for a whole file.
    """

    def __init__(self, body: Readable, content_type: str, field: str) -> None:
        _kind, options = parse_options_header(content_type)
        if not (boundary := options.get(b"boundary")):
            raise NotMultipart("its Content-Type names no boundary")
        self.file_name = ""
        self._body, self._field = body, field
        self._begun = self._found = self._inside = self._over = False
        self._ready = b""
        self._pieces: list[bytes] = []
        self._beside = 0
        self._disposition = ""
        self._name, self._value = b"", b""
        self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]

    def find(self) -> bool:
        """Read on to the part; False when the body ends without one. `file_name` is known from here on."""
        while not self._found and self._feed(PIECE):
            pass
        return self._found

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes of the part; empty at its end, when the body has ended too."""
        while not self._ready and self._feed(size):
            pass
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def _feed(self, size: int) -> bool:
        """Take the next piece of the body in; False at its end."""
        piece = self._body.read(size)
        if not piece:
            if self._begun and not self._over:
                raise UploadCut  # a body in chunks that ended before its last boundary
            return False
        self._begun = True
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise NotMultipart(str(error)[:200]) from error
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self._ready += taken
        self._beside += max(0, len(piece) - len(taken))
        if self._beside > BESIDE:
            raise NotMultipart("there is too much in it beside the file")
        return True

    # --- What the parser calls ----------------------------------------------------------------------------------

    def _callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_name,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._end_body,
        }

    def _begin(self) -> None:
        self._disposition = ""

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value.decode("latin-1")
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        _kind, options = parse_options_header(self._disposition)
        if not self._found and options.get(b"name") == self._field.encode():
            self._found = self._inside = True
            self.file_name = _file_name(options)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self._inside = False

    def _end_body(self) -> None:
        self._over = True


def file_name_in(disposition: str) -> str:
    """The file name that a Content-Disposition header tells, without folders; empty when it tells none."""
    return _file_name(parse_options_header(disposition.encode("latin-1", "replace"))[1])


def _file_name(options: dict[bytes, bytes]) -> str:
    name = options.get(b"filename", b"").decode(errors="replace")
    return name.replace("\\", "/").rpartition("/")[2]
