"""Runs in the Pod: starts the keeper with Rasa below it, and brings log, report and results to the desk.

The image holds a Rasa and nothing of ours: what this file needs came with the bundle (`desk.py`), so it imports the
standard library alone. It ends everything when the desk says so, at SIGTERM (Kubernetes deletes the Pod), and when the
desk is gone: then whoever wanted this process is gone too.
"""

from __future__ import annotations  # the image may have Python 3.8

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

HOUSE = Path(__file__).parents[3]
START = "start.json"  # the last file of the bundle: what is to run
TERMINATION_LOG = Path("/dev/termination-log")  # Kubernetes keeps what is written there, up to 4 KB
TICK_SECONDS = 0.4
TIMEOUT_SECONDS = 20.0
REFUSED_SECONDS = 5.0  # nobody listens at the desk's port: the process that did has ended
LOST_SECONDS = 60.0  # the network may come back
DELIVERY = 256 * 1024  # bytes of the log at once
BUFFERED = 16 * 1024**2  # of the log; then Rasa waits for the desk
KEPT_BACK = frozenset({".parley-tmp", ".rasa"})  # temporary files, and Rasa's cache of this one training
LOST = 125

_KEEPER = "import sys; sys.path.append(sys.argv.pop(1)); from studio.rasa.keeper import main; main()"
# Of the image; all else that Rasa sees is in the bundle.
_OF_IMAGE = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
)  # fmt: skip


class DeskGone(Exception):
    """Nobody wants this process any more."""


class Desk:
    """The desk as the Pod sees it. Its own network is the cluster's: no proxy stands between."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._heard = time.monotonic()

    def send(self, method: str, path: str, body: Any, **headers: str) -> bytes | None:
        """The answer; None when it did not come, and may come the next time. Raises DeskGone."""
        request = urllib.request.Request(  # noqa: S310  the address is the house's own
            self._url + path, body, {**self._headers, **headers}, method=method
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                found: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise DeskGone(f"the desk answered {error.code}") from error
        except OSError as error:
            self._give_up_on(error)
            return None
        self._heard = time.monotonic()
        return found

    def insist(self, method: str, path: str, body: Any, **headers: str) -> bytes:
        """Until it is answered. Raises DeskGone."""
        while True:
            if hasattr(body, "seek"):
                body.seek(0)
            if (answer := self.send(method, path, body, **headers)) is not None:
                return answer
            time.sleep(TICK_SECONDS)

    def _give_up_on(self, error: OSError) -> None:
        refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
        if time.monotonic() - self._heard > (REFUSED_SECONDS if refused else LOST_SECONDS):
            raise DeskGone(str(error))


class Log:
    """What Rasa writes, from its pipe to our own output and into a buffer for the desk."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._buffer = bytearray()
        self._room = threading.Condition()
        self.taken = 0  # bytes that the desk has
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while data := os.read(self._pipe, 65536):
            os.write(1, data)
            with self._room:
                self._room.wait_for(lambda: len(self._buffer) < BUFFERED)
                self._buffer += data

    def next(self) -> bytes:
        with self._room:
            return bytes(self._buffer[:DELIVERY])

    def take(self, size: int) -> None:
        with self._room:
            del self._buffer[:size]
            self.taken += size
            self._room.notify()

    def close(self) -> None:
        """Wait until the pipe has been read to its end: everything that could write to it has ended."""
        self._reader.join(TIMEOUT_SECONDS)


class Agent:
    def __init__(self, start: dict[str, Any], desk: Desk) -> None:
        self.start, self.desk = start, desk
        self.folder = Path(start["folder"])
        self.report = HOUSE / "report"
        self.before = dict(_states(self.folder))
        self.kill_at: float | None = None
        self.asked: float | None = None  # seconds of grace, when we are to end
        self.is_evicted = False

    def run(self) -> int:
        """To the end of Rasa; its exit code as the keeper gave it."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self.keeper = self._start()
        assert self.keeper.stdout is not None
        self.log = Log(self.keeper.stdout.fileno())
        try:
            while self.keeper.poll() is None:
                self._tick()
                time.sleep(TICK_SECONDS)
            self._deliver_rest()
        except DeskGone as error:
            print(f"Ended: {error}", file=sys.stderr, flush=True)  # noqa: T201  the Pod's log
            self._end(0)
            self.keeper.wait()
            return LOST
        return self.keeper.returncode

    def _start(self) -> subprocess.Popen[bytes]:
        for folder in (self.folder / ".parley-tmp", Path(self.start["environment"]["HOME"])):
            folder.mkdir(parents=True, exist_ok=True)
        self.report.write_bytes(json.dumps({"mark": self.start["mark"]}).encode().ljust(512))
        options = {**self.start["options"], "parent": os.getpid(), "report": str(self.report)}
        entry = str(HOUSE / "studio" / "rasa" / "entry.py")
        keeper = [sys.executable, "-I", "-S", "-c", _KEEPER, str(HOUSE), json.dumps(options)]
        return subprocess.Popen(
            [*keeper, sys.executable, entry, *self.start["arguments"]],
            cwd=self.folder,
            env={**{name: os.environ[name] for name in _OF_IMAGE if name in os.environ}, **self.start["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _tick(self, **more: Any) -> None:
        """Bring what there is of the log, and how it goes; obey the answer."""
        data = self.log.next()
        facts = json.dumps({**self.facts(), **more})
        answer = self.desk.send("POST", f"?from={self.log.taken}", data, **{"X-Report": facts})
        if answer is not None:
            self.log.take(len(data))
            self.asked = json.loads(answer)["stop"] if self.asked is None else self.asked
        if self.asked is not None:
            self._end(self.asked)

    def _end(self, grace: float) -> None:
        """Ask Rasa to end when that was not done, and kill it once the grace is over."""
        now = time.monotonic()
        if self.kill_at is None and grace > 0:
            self.keeper.send_signal(signal.SIGTERM)
        self.kill_at = now + grace if self.kill_at is None else min(self.kill_at, now + grace)
        if grace <= 0 or now >= self.kill_at:
            self.keeper.send_signal(signal.SIGUSR1)

    def _on_sigterm(self, *_: Any) -> None:
        """The cluster ends the Pod: unless Parley asked for it, its node is drained or needed for something else."""
        if self.asked is None:
            self.asked, self.is_evicted = float(self.start["grace"]), True

    def _deliver_rest(self) -> None:
        self.log.close()
        while self.log.next():
            self._tick()
        for path in self._made():
            with path.open("rb") as file:
                length, mode = str(path.stat().st_size), format(path.stat().st_mode & 0o777, "o")
                name = quote(str(path.relative_to(self.folder)))
                if refused := self.desk.insist("PUT", f"/{name}", file, **{"Content-Length": length, "X-Mode": mode}):
                    print(f"{name}: {refused.decode()}", file=sys.stderr, flush=True)  # noqa: T201
        self.desk.insist("POST", f"?from={self.log.taken}", b"", **{"X-Report": json.dumps(self.facts(ended=True))})

    def _made(self) -> list[Path]:
        """What Rasa made or changed in its folder."""
        return [path for path, state in _states(self.folder) if self.before.get(path) != state]

    def facts(self, **more: Any) -> dict[str, Any]:
        """The keeper's report; without its facts in the moment in which it writes them."""
        try:
            facts: dict[str, Any] = json.loads(self.report.read_bytes())
        except ValueError:
            facts = {"mark": self.start["mark"]}
        if self.is_evicted and more.get("ended") and facts.get("code") != 0:
            facts |= {"code": None, "why": "The cluster ended its Pod."}
        return {**facts, **more}


def _states(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in KEPT_BACK]
        for name in names:
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path, (path.stat().st_size, path.stat().st_mtime_ns)


def main() -> NoReturn:
    start = json.loads((HOUSE / START).read_text())
    agent = Agent(start, Desk(os.environ["PARLEY_DESK"], os.environ["PARLEY_DESK_TOKEN"]))
    code = agent.run()
    if TERMINATION_LOG.exists():
        TERMINATION_LOG.write_text(json.dumps(agent.facts(ended=True)))
    os._exit(code if code >= 0 else 128 - code)
