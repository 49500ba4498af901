"""Rasa processes of this machine."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.rasa import keeper, proc
from studio.rasa.process import MARK, TEMPORARY, Exceeded, Handle, LogChunk, Spec, StartFailed, Status, environment_of

# Isolated, it finds the standard library first and then us: nothing of the assistant's can stand in between.
_KEEPER = "import sys; sys.path.append(sys.argv.pop(1)); from studio.rasa.keeper import main; main()"
_CHECKOUT = str(Path(__file__).parents[2])
_ENTRY = str(Path(__file__).with_name("entry.py"))
_POLL_SECONDS = 0.05
LOOPBACK = "127.0.0.1"
PATIENCE = 30.0  # seconds for the keeper to end what it keeps
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # Rasa colours its warnings even when it writes to a file
LARGE_LOG = 20 * 1024**2  # a log that grew beyond this is set aside when its process is started again


class _Spawner:
    """Starts processes in one thread that lives as long as this process.

    The kernel's "parent died" signal comes when the *thread* that forked ends. A process started by the thread of one
    web request or of a pool would die with that thread; this one ends only with the interpreter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:  # a fork copies no threads: the child needs one of its own
        self._lock = threading.Lock()
        self._pool = None

    def run(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rasa-spawner")
            pool = self._pool
        return pool.submit(start).result()


_spawner = _Spawner()


@dataclass
class LocalProcesses:
    """Runs Rasa with the interpreter `python`; `home` is a writable folder that all its processes share."""

    python: Path
    home: Path
    _started: dict[Handle, "subprocess.Popen[bytes]"] = field(default_factory=dict, init=False, repr=False)

    def start(self, spec: Spec) -> Handle:
        mark = f"{uuid.uuid4().hex}@{spec.folder}"
        command = self._command(spec, mark)
        environment = environment_of(spec, self.home, mark)

        def spawn() -> "subprocess.Popen[bytes]":
            with spec.log.open("ab") as log:
                return subprocess.Popen(
                    command,
                    cwd=spec.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C at a terminal is not meant for it
                )

        try:
            self.home.mkdir(parents=True, exist_ok=True)
            (spec.folder / TEMPORARY).mkdir(parents=True, exist_ok=True)
            set_large_log_aside(spec.log)
            report_of(spec.log).write_bytes(keeper.as_report({"mark": mark}))
            process = _spawner.run(spawn)
        except OSError as error:
            raise StartFailed(f"Rasa could not be started: {error.strerror}.") from error
        handle = Handle(process.pid, proc.born(process.pid) or "", str(spec.log), mark)
        self._started[handle] = process
        return handle

    def poll(self, handle: Handle) -> Status:
        if self._is_alive(handle):
            return status_of(facts_of(handle), running=True, code=None)
        return self._ended(handle)

    def stop(self, handle: Handle, grace: float = 10.0) -> Status:
        for number, seconds in ((signal.SIGTERM, grace), (keeper.END_NOW, PATIENCE), (signal.SIGKILL, PATIENCE)):
            if seconds > 0 and self._is_alive(handle):
                with suppress(ProcessLookupError):
                    os.kill(handle.pid, number)
                self._wait(handle, seconds)
        return self._ended(handle)

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        ended = not self._is_alive(handle)  # asked before reading: what it writes while ending is not missed
        return read_log(Path(handle.log), offset, limit, to_its_end=ended)

    def host(self, handle: Handle) -> str | None:
        return LOOPBACK

    @property
    def interface(self) -> str:
        return LOOPBACK

    def left_below(self, parent: Path) -> set[str]:
        return set()

    def end_all_of(self, folder: Path) -> int:
        return end_marked(f"@{folder}")

    def _command(self, spec: Spec, mark: str) -> list[str]:
        options = {
            "parent": os.getpid(),
            "mark": mark,
            "folder": str(spec.folder),
            "report": str(report_of(spec.log)),
            "limits": spec.limits.as_json(),
            "low_priority": spec.low_priority,
        }
        ours = [sys.executable, "-I", "-S", "-c", _KEEPER, _CHECKOUT, json.dumps(options)]
        return [*ours, str(spec.python or self.python), _ENTRY, *spec.arguments]

    def _is_alive(self, handle: Handle) -> bool:
        return proc.born(handle.pid) == handle.born != ""

    def _wait(self, handle: Handle, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._is_alive(handle) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)

    def _ended(self, handle: Handle) -> Status:
        """Reap it. One that ended without a word was killed itself, and may have left something behind."""
        facts = facts_of(handle)
        process = self._started.get(handle)
        code = facts.get("code") if process is None else process.wait(timeout=30)
        if facts.get("code") is None:
            end_marked(handle.mark)
        return status_of(facts, running=False, code=code)


def status_of(facts: dict[str, Any], *, running: bool, code: int | None) -> Status:
    over = facts.get("over")
    return Status(
        running,
        code,
        memory=facts.get("memory"),
        peak_memory=facts.get("peak"),
        exceeded=Exceeded(*over) if over and not running else None,
        least_room=facts.get("room"),
        why=facts.get("why", ""),
    )


def end_marked(mark: str, seconds: float = PATIENCE) -> int:
    """Kill what carries this mark or one that ends so, until none is left. Returns how many there were."""
    killed: set[int] = set()
    until = time.monotonic() + seconds
    while mark and time.monotonic() < until and (found := proc.marked(MARK, mark)):
        killed.update(found)
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    return len(killed)


def report_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.state")


def facts_of(handle: Handle) -> dict[str, Any]:
    """What the keeper last wrote about this process; nothing when it is of a later one with the same log."""
    try:
        facts = json.loads(report_of(Path(handle.log)).read_bytes())
    except (OSError, ValueError):
        return {}
    return facts if facts.get("mark") == handle.mark else {}


def read_log(path: Path, offset: int = 0, limit: int = 65536, *, to_its_end: bool = False) -> LogChunk:
    """What stands in the log from byte `offset` on; an offset beyond its end (it was set aside) starts over.

    A line that has begun is held back unless `to_its_end`: a progress bar rewrites its line again and again.
    """
    try:
        with path.open("rb") as log:
            if offset > os.fstat(log.fileno()).st_size:
                offset = 0
            log.seek(offset)
            data = log.read(limit)
    except FileNotFoundError:
        return LogChunk("", 0)
    is_last = len(data) < limit
    if not (is_last and to_its_end):
        lines_end = data.rfind(b"\n") + 1
        data = data[: lines_end if lines_end or is_last else len(data) - _cut_at_end(data)]
    return LogChunk(_for_people(data.decode(errors="replace")), offset + len(data))


def _for_people(text: str) -> str:
    plain = _COLOURS.sub("", text)
    return "\n".join(line.removesuffix("\r").rpartition("\r")[2] for line in plain.split("\n"))


def _cut_at_end(data: bytes) -> int:
    """How many bytes at the end belong to a character that is not whole yet."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1000_0000:
            continue  # inside a character: look further back
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if length > back else 0
    return 0


def set_large_log_aside(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if log.stat().st_size > LARGE_LOG:
            log.replace(log.with_name(log.name + ".1"))
