"""One Rasa process: start, poll, stop, read its log. Everything that runs Rasa does it through `Processes`.

Training, managed environments and slots all use this protocol and know nothing of how a process is run; here it is a
process of this machine. A `Handle` is plain data, so a supervisor that was restarted can keep it in a row and still
tell whether the process lives.
"""

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from studio.web import formats

_SECRET_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True)
class Limits:
    """What a process and all that it starts may take together; None is no limit. Time is kept by who follows it."""

    memory: int | None = None  # bytes that are resident, those that several share counted once
    disk: int | None = None  # bytes that its folder takes, its temporary files among them
    processes: int | None = None  # at once; threads are none

    def as_json(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Spec:
    """What to run. `arguments` are those after `rasa`.

    `$(NAME)` in an argument stands for the environment variable NAME (Kubernetes' own notation) and is put in inside
    the process: a token given so is never on a command line, where every user of the machine could read it.
    """

    arguments: tuple[str, ...]
    folder: Path  # where it runs; its own, and the home of what it writes
    log: Path  # standard output and error are appended here
    environment: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[Path, ...] = ()  # folders with the assistant's own packages
    low_priority: bool = False
    limits: Limits = Limits()
    python: Path | None = None  # the interpreter that has the Rasa to run; else that of the `Processes`
    image: str = ""  # the container image that has it, where processes are containers
    seconds: float | None = None  # a net, where it can be had: it ends then, once begun, though nobody follows it


@dataclass(frozen=True)
class Handle:
    """Which process, so that it is never taken for another one with the same number."""

    pid: int
    born: str  # the boot of the machine and the moment in it
    log: str
    mark: str = ""  # in the environment of all that it starts

    def to_json(self) -> dict[str, str | int | None]:
        return {"pid": self.pid, "born": self.born, "log": self.log, "mark": self.mark}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Handle":
        return cls(
            pid=int(str(data["pid"])),
            born=str(data["born"]),
            log=str(data["log"]),
            mark=str(data.get("mark", "")),
        )


@dataclass(frozen=True)
class Exceeded:
    """The limit for which a process was ended: `memory`, `disk` or `processes`, as in Limits."""

    limit: str
    used: int
    allowed: int

    def explain(self) -> str:
        used, allowed = str(self.used), str(self.allowed)
        if self.limit != "processes":
            used, allowed = formats.size(self.used), formats.size(self.allowed)
        if used == allowed:
            used = f"a little more than {allowed}"
        match self.limit:
            case "memory":
                return f"It used {used} of memory; it may use {allowed}."
            case "disk":
                return f"It took {used} of the disk; it may take {allowed}."
            case _:
                return f"It ran {used} processes at once; it may run {allowed}."


@dataclass(frozen=True)
class Status:
    """How a process is. `code` is None when nobody saw it end; negative is a signal, as in Popen."""

    running: bool
    code: int | None = None
    memory: int | None = None  # bytes in use while it runs, by all that it started together
    peak_memory: int | None = None  # the most that was in use
    exceeded: Exceeded | None = None  # why it was ended
    least_room: int | None = None  # the fewest bytes that were free on the disk of its folder
    why: str = ""  # a sentence when something beside it ended it, or keeps it from starting
    is_waiting: bool = False  # it counts as running, but whoever runs it has no place for it yet: its time begins later

    def explain(self) -> str:
        """A sentence for people."""
        if self.running:
            return "It is running." if not self.is_waiting else "It waits for the cluster."
        if self.exceeded is not None:
            return self.exceeded.explain()
        if self.why:
            return self.why
        if self.code is None:
            return "It has ended; how is not known."
        if self.code == -signal.SIGKILL:
            return "It was killed (SIGKILL), by hand or because the machine ran out of memory."
        if self.code < 0:
            return f"It was ended by the signal {signal.Signals(-self.code).name}."
        return "It ended by itself." if self.code == 0 else f"It ended by itself with exit code {self.code}."


@dataclass(frozen=True)
class LogChunk:
    """A piece of a log as people read it: without colours, and of a progress bar its last state alone."""

    text: str
    offset: int  # read on from here


class StartFailed(Exception):
    """The process could not be started; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Processes(Protocol):
    def start(self, spec: Spec) -> Handle:
        """Start it; returns at once. Raises StartFailed."""

    def poll(self, handle: Handle) -> Status:
        """How it is now. One that passed a limit is ended at once, whether it is polled or not."""

    def stop(self, handle: Handle, grace: float = 10.0) -> Status:
        """Ask it and all that it started to end, kill what is left after `grace` seconds, return when all is gone."""

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        """What it has written from byte `offset` on: whole lines while it runs, and all of it when it has ended."""

    def host(self, handle: Handle) -> str | None:
        """Where a server of it listens; None as long as that is not known."""

    @property
    def interface(self) -> str:
        """What a server must listen on, so that this house reaches it."""

    def left_below(self, parent: Path) -> set[str] | None:
        """Names of folders in `parent` for which something may still run, beside those that are there: what ran on
        other machines leaves nothing on this disk. None when nobody could look."""

    def end_all_of(self, folder: Path) -> int:
        """End what still runs of any process that was started for this folder. Returns how many there were."""


# --- What every Rasa process gets ---------------------------------------------------------------------------------

# Nothing else is inherited: the assistant's own code runs in there, and our environment holds the keys of this house.
_INHERITED = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "PARLEY_LAUNCHED_FOR",  # by it the launcher finds a stray one after everything was killed
)  # fmt: skip

MARK = "PARLEY_PROCESS"
TEMPORARY = ".parley-tmp"  # in the folder: it counts as its own, and goes with it

_FIXED = {
    "RASA_TELEMETRY_ENABLED": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "-1",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "SANIC_WORKERS": "1",
    "NO_COLOR": "1",
}


def environment_of(spec: Spec, home: Path, mark: str) -> dict[str, str]:
    """The whole environment of a Rasa process. `home` must be writable: matplotlib and Rasa keep caches there."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **given_environment(spec, home, mark)}


def given_environment(spec: Spec, home: Path, mark: str) -> dict[str, str]:
    """What we give it, without what is the machine's own."""
    threads = str(min(os.cpu_count() or 1, 4))
    path = [str(folder) for folder in spec.python_path]
    return {
        **_FIXED,
        "OMP_NUM_THREADS": threads,
        "TF_INTRA_OP_PARALLELISM_THREADS": threads,
        "HOME": str(home),
        "TMPDIR": str(spec.folder / TEMPORARY),
        MARK: mark,
        "MPLCONFIGDIR": str(home / "matplotlib"),
        **({"PYTHONPATH": os.pathsep.join(path)} if path else {}),
        **spec.environment,
    }


def secret(name: str) -> str:
    """The argument that stands for the environment variable `name`."""
    if not _SECRET_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    return f"$({name})"
