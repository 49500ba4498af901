"""Where the Pods of this process fetch their files and bring back log, report and results: no shared volume, no store.

One small HTTP server in the process that started them, reached by the Pods at its own address. A Pod shows the token
that it was started with; it can see and write the folder of its own process and nothing else. When this process ends,
so does its desk, and with it every Pod that it started (`agent.py`).
"""

import hmac
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import structlog

from studio.rasa import keeper
from studio.rasa.cluster import agent
from studio.rasa.local import report_of
from studio.rasa.process import TEMPORARY, Spec
from studio.web.formats import size

log = structlog.get_logger()

_HOUSE = Path(__file__).parents[3]
# What the Pod needs of us.
_OURS = (
    "studio/__init__.py", "studio/rasa/__init__.py", "studio/rasa/keeper.py", "studio/rasa/proc.py",
    "studio/rasa/entry.py", "studio/rasa/cluster/__init__.py", "studio/rasa/cluster/agent.py",
)  # fmt: skip
IN_POD = "parley"  # the folder, below the root, in which the Pod finds it
CHUNK = 1024 * 1024
LARGEST = 8 * 1024**3  # bytes that one process may bring, where no limit of disk says less
BLOCK = 4096  # bytes that the smallest file takes, and a folder
MOST_RESULTS = 10_000  # files that one process may bring
OF_STRANGERS = 64 * CHUNK  # read before they are sent away: who still writes would not hear the answer


@dataclass
class Guest:
    """One process whose Pod comes to the desk."""

    name: str
    token: str
    spec: Spec
    start: dict[str, Any]  # what agent.py reads
    facts: dict[str, Any] = field(default_factory=dict)  # its last report
    received: int = 0  # bytes of the log
    arrived: bool = False  # the Pod has fetched its files
    heard: float = 0.0  # when it last said something, once it has arrived
    made: float = field(default_factory=time.monotonic)
    stop: float | None = None  # seconds of grace, once it is to end
    brought: dict[Path, int] = field(default_factory=dict)  # bytes of its results
    taken: int = 0  # bytes of all of them
    over: tuple[str, int, int] | None = None  # as Exceeded, when it brings more than it may
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    bringing: threading.Lock = field(default_factory=threading.Lock)  # one result at a time

    @property
    def allowed(self) -> int:
        """Bytes of log and results together."""
        return self.spec.limits.disk or LARGEST

    def listen(self) -> None:
        self.heard = time.monotonic()

    def silence(self) -> float:
        """Seconds since it said something; none before it has arrived."""
        return time.monotonic() - self.heard if self.arrived else 0.0

    def refuses(self, path: Path, length: int) -> str:
        """Why it may not bring this result; else empty, and it is counted in. When it is too much, what comes then is
        too, and the process is to end for it."""
        with self.lock:
            if path not in self.brought and len(self.brought) >= MOST_RESULTS:
                return f"it may bring {MOST_RESULTS} files"
            self.taken += self._room_of(path, length) - self.brought.get(path, 0)
            self.brought[path] = self._room_of(path, length)
            return "" if self._is_within(0) else f"log and results may take {size(self.allowed)} together"

    def _room_of(self, path: Path, length: int) -> int:
        """Bytes on the disk, its folders among them."""
        folders = len(path.relative_to(self.spec.folder.resolve()).parts) - 1
        return max(length, BLOCK) + folders * BLOCK

    def take_report(self, facts: dict[str, Any]) -> None:
        """Write it where the keeper of a local process would."""
        if facts.get("mark") != self.start["mark"]:
            return
        self.facts = facts = self.with_limit(facts)
        write_report(self.spec.log, facts)
        if facts.get("ended"):
            self.ended.set()

    def with_limit(self, facts: dict[str, Any]) -> dict[str, Any]:
        """A report with the limit that it passed here, of which its own keeper does not know."""
        return {**facts, "over": facts.get("over") or self.over}

    def take_log(self, data: bytes, offset: int) -> None:
        """Append what is new: a delivery whose answer was lost comes again."""
        with self.lock:
            new = data[max(0, self.received - offset) :]
            self.received += len(new)
            if self._is_within(len(new)):
                with self.spec.log.open("ab") as file:
                    file.write(new)

    def _is_within(self, more: int) -> bool:
        """The log counts as it is on the disk: that of a server is cut from time to time."""
        written = self.spec.log.stat().st_size if self.spec.log.exists() else 0
        used = written + self.taken + more
        if used > self.allowed and self.over is None:
            self.over, self.stop = ("disk", used, self.allowed), 0.0
        return self.over is None

    def path_of(self, name: str) -> Path | None:
        """Where a result goes; None for a place that is not its own."""
        folder = self.spec.folder.resolve()
        path = folder / name
        kept = {self.spec.log, report_of(self.spec.log)}
        inside = path.parent.resolve().is_relative_to(folder) and ".." not in path.parts
        return path if inside and path not in kept and not path.is_symlink() and not path.is_dir() else None


def write_report(path: Path, facts: dict[str, Any]) -> None:
    report = report_of(path)
    new = report.with_name(f"{report.name}.new")
    with suppress(FileNotFoundError):  # its folder is gone: nobody asks any more
        new.write_bytes(keeper.as_report(facts))
        new.replace(report)


class Desk:
    """Listens from the first guest on."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._guests: dict[str, Guest] = {}
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def welcome(self, guest: Guest) -> int:
        """Expect it; the port where it is to come. OSError when nobody may listen there."""
        with self._lock:
            if self._server is None:
                self._server = _Server(("", self._port), self._guests)
                threading.Thread(target=self._server.serve_forever, name="desk", daemon=True).start()
            self._guests[guest.name] = guest
            return int(self._server.server_address[1])

    def guest(self, name: str) -> Guest | None:
        return self._guests.get(name)

    def dismiss(self, name: str) -> None:
        """Whatever it still brings is refused, and it ends."""
        self._guests.pop(name, None)


_desks: dict[tuple[int, int], Desk] = {}  # by process, because a fork inherits no threads, and by port


def desk_of_this_process(port: int) -> Desk:
    """The controller starts servers and asks images: both at one port."""
    return _desks.setdefault((os.getpid(), port), Desk(port))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], guests: dict[str, Guest]) -> None:
        self.guests = guests
        super().__init__(address, _Handler)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A Pod that was ended in the middle of a sentence."""
        log.info("a Pod broke off", address=client_address[0], exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60  # seconds for a Pod that says nothing more

    def do_GET(self) -> None:
        if (guest := self._guest()) is not None:
            self.send_response(200)
            self.end_headers()
            send_bundle(guest, self.wfile)
            guest.listen()
            guest.arrived = True

    def do_POST(self) -> None:
        if (guest := self._guest()) is None:
            return
        if not 0 <= self._length() <= agent.DELIVERY:
            self._refuse(413, "", guest)
            return
        offset = int(parse_qs(urlsplit(self.path).query)["from"][0])
        guest.take_log(self.rfile.read(self._length()), offset)
        guest.take_report(json.loads(self.headers["X-Report"]))
        self._answer(200, json.dumps({"stop": guest.stop}))

    def do_PUT(self) -> None:
        if (guest := self._guest()) is None:
            return
        self.connection.settimeout(agent.TIMEOUT_SECONDS)  # who says nothing for so long has given up and comes again
        path = guest.path_of(unquote(urlsplit(self.path).path.lstrip("/").partition("/")[2]))
        with guest.bringing:
            if path is None:  # code of an assistant wrote there: it is no reason to end its training
                self._refuse(200, "not taken: it is no place of its own", guest)
            elif why := guest.refuses(path, self._length()):
                self._refuse(200, f"not taken: {why}", guest)
            else:
                self._receive(path, guest)
                self._answer(200, "")

    def _receive(self, path: Path, guest: Guest) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # only the one that comes is counted
        new = path.with_name(f"{path.name}.new")
        with new.open("wb") as file:
            left = self._length()
            while left > 0 and (data := self.rfile.read(min(CHUNK, left))):
                file.write(data)
                left -= len(data)
                guest.listen()
        if left:
            new.unlink()
            raise ConnectionError("a result was cut off")
        new.chmod(int(self.headers.get("X-Mode", "600"), 8) & 0o777)
        new.replace(path)

    def _guest(self) -> Guest | None:
        name = urlsplit(self.path).path.lstrip("/").partition("/")[0]
        guest = self.server.guests.get(name)
        given = self.headers.get("Authorization", "")
        if guest is None or not hmac.compare_digest(given.encode(), f"Bearer {guest.token}".encode()):
            self._refuse(404, "")
            return None
        guest.listen()
        return guest

    def _refuse(self, code: int, text: str, guest: Guest | None = None) -> None:
        """Answer once the body is read, of a stranger's only so much: who is cut off while writing reads no answer."""
        left = min(self._length(), OF_STRANGERS if guest is None else LARGEST)
        while left > 0 and (data := self.rfile.read(min(CHUNK, left))):
            left -= len(data)
            if guest is not None:
                guest.listen()
        self._answer(code, text)

    def _length(self) -> int:
        return int(self.headers.get("Content-Length", "0"))

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a Pod comes several times a second."""


def send_bundle(guest: Guest, target: Any) -> None:
    """A tar of everything that the Pod needs, with the paths that it has here; what to start comes last."""
    with tarfile.open(fileobj=target, mode="w|") as bundle:
        for name in _OURS:
            _add(bundle, _HOUSE / name, f"{IN_POD}/{name}")
        for folder in roots(guest.spec):
            for path in _files(folder):
                _add(bundle, path, str(path.absolute()).lstrip("/"))
        start = json.dumps(guest.start).encode()
        entry = tarfile.TarInfo(f"{IN_POD}/{agent.START}")
        entry.size, entry.mode, entry.mtime = len(start), 0o600, int(time.time())
        bundle.addfile(entry, io.BytesIO(start))


def roots(spec: Spec) -> list[Path]:
    """The folders that a process sees, at the same place in its Pod as here; none lies within another."""
    found: list[Path] = []
    for path in sorted({spec.folder.absolute(), *(path.absolute() for path in spec.python_path)}):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in {TEMPORARY, "__pycache__"}]
        yield from (Path(place, name) for name in sorted(names))


def _add(bundle: tarfile.TarFile, path: Path, name: str) -> None:
    """As a file of nobody in particular. What went meanwhile, or is no file, is left out."""
    with suppress(FileNotFoundError):
        if not path.is_file():
            return
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = facts.st_size, facts.st_mode & 0o777, facts.st_mtime
            bundle.addfile(entry, file)
