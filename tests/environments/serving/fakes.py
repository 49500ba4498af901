"""Processes and looks whose fate the test decides. The real ones are in test_controller_real.py."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from environments.serving.watch import Answer, Watch
from studio.rasa.process import Handle, LogChunk, Spec, StartFailed, Status


@dataclass
class FakeProcesses:
    """Implements studio.rasa.process.Processes; a stop is at once."""

    started: list[Spec] = field(default_factory=list)
    alive: dict[int, Handle] = field(default_factory=dict)
    codes: dict[int, int] = field(default_factory=dict)
    refuses: str = ""
    waits: str = ""  # why they have no place in a cluster yet
    stopped: list[Handle] = field(default_factory=list)

    def start(self, spec: Spec) -> Handle:
        if self.refuses:
            raise StartFailed(self.refuses)
        self.started.append(spec)
        handle = Handle(len(self.started), "born", str(spec.log))
        self.alive[handle.pid] = handle
        return handle

    def poll(self, handle: Handle) -> Status:
        if handle.pid in self.alive:
            return Status(running=True, is_waiting=bool(self.waits), why=self.waits)
        return Status(running=False, code=self.codes.get(handle.pid))

    def stop(self, handle: Handle, grace: float = 10.0) -> Status:
        self.alive.pop(handle.pid, None)
        self.stopped.append(handle)
        return Status(running=False, code=0)

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        return LogChunk("", 0)

    interface = "127.0.0.1"
    hosts: list[str | None] = field(default_factory=lambda: ["127.0.0.1"])  # one after the other; the last goes on
    left: set[str] | None = field(default_factory=set)
    ended: list[Path] = field(default_factory=list)

    def host(self, handle: Handle) -> str | None:
        return self.hosts.pop(0) if len(self.hosts) > 1 else self.hosts[0]

    def left_below(self, parent: Path) -> set[str] | None:
        return self.left

    def end_all_of(self, folder: Path) -> int:
        self.ended.append(folder)
        return 1

    def die(self, code: int = 1) -> None:
        """Every process ends by itself."""
        for pid in list(self.alive):
            self.codes[pid] = code
            del self.alive[pid]


@dataclass
class FakeWatch(Watch):
    """Answers at the next turn what `answers` says now; None is a server that does not answer."""

    answers: Answer = field(default_factory=lambda: Answer(True, has_model=True))
    asked: set[int] = field(default_factory=set)

    def ask(self, key: int, host: str, port: int, token: str, *, prove: bool) -> None:
        self.asked.add(key)

    def answer(self, key: int) -> Answer | None:
        if key not in self.asked:
            return None
        self.asked.remove(key)
        return replace(self.answers)

    def forget(self, key: int) -> None:
        self.asked.discard(key)
