"""Follows the Rasa processes of one attempt: their log, progress and limits, and what people ask meanwhile."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.db import InterfaceError, OperationalError, connection

from models_app.models import TrainingJob
from models_app.services import training
from models_app.training.output import Progress
from studio.rasa.process import Handle, Processes, Spec, Status

log = structlog.get_logger()

LOOK_SECONDS = 0.5
BEAT_SECONDS = 2.0
LOG_KEPT = 2 * 1024**2  # characters of output kept from the start; the end is kept whatever comes between
LOG_TAIL = 64 * 1024


class Cancelled(Exception):
    """Somebody asked for the job to end."""


class AttemptFailed(Exception):
    """The attempt ended without what it was to make; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass
class Attempt:
    """Runs the commands of one attempt one after the other in `folder` and tells the job's row of them."""

    job: TrainingJob
    processes: Processes
    folder: Path
    seconds: int  # all commands together may take
    environment: Mapping[str, str] = field(default_factory=dict)  # for its processes
    tail: str = ""  # the end of the log of all commands so far
    _progress: Progress = field(default_factory=lambda: Progress(()), init=False)
    _until: float = field(init=False)
    _commands: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)
    _kept: int = field(default=0, init=False)
    _unwritten: str = field(default="", init=False)
    _left_out: int = field(default=0, init=False)
    _next_beat: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def run(self, arguments: tuple[str, ...], progress: Progress | None = None) -> Status:
        """Run `rasa` with `arguments` to its end. Raises Cancelled, AttemptFailed (limits), training.Superseded."""
        self._progress, self._offset = progress or Progress(()), 0
        self._commands += 1
        handle = self.processes.start(self._spec(arguments))
        try:
            status = self._follow(handle)
        finally:
            self.processes.stop(handle, grace=5)
        self._take_log(handle)
        return status

    def close(self) -> None:
        """After the last command: write the end of a log that was too long to keep."""
        if self._left_out:
            cut = max(0, self._left_out - LOG_TAIL)
            training.append_log(self.job, f"\n… {cut} characters left out …\n{self.tail[-self._left_out :]}")

    def _spec(self, arguments: tuple[str, ...]) -> Spec:
        return Spec(
            arguments=arguments,
            folder=self.folder,
            log=self.folder / f"rasa-{self._commands}.log",
            environment=self.environment,
            python_path=(self.folder,),
            low_priority=True,
        )

    def _follow(self, handle: Handle) -> Status:
        while True:
            status = self.processes.poll(handle)
            self._tell(handle)
            if not status.running:
                return status
            if time.monotonic() > self._until:
                raise AttemptFailed(f"It took longer than the {self.seconds // 60} minutes it may take.")
            time.sleep(LOOK_SECONDS)

    def _tell(self, handle: Handle) -> None:
        """Write log and heartbeat. A database that is away stops neither the process nor us: we say it later."""
        try:
            self._take_log(handle)
            if time.monotonic() >= self._next_beat:
                self._next_beat = time.monotonic() + BEAT_SECONDS
                progress = self._progress
                if training.beat(self.job, step=progress.step, done=progress.done, total=progress.total):
                    raise Cancelled
        except (OperationalError, InterfaceError):
            log.warning("database away, the training goes on", job=self.job.pk)
            connection.close()

    def _take_log(self, handle: Handle) -> None:
        while True:
            chunk = self.processes.read_log(handle, self._offset)
            if not chunk.text:
                return
            self._progress.read(chunk.text)
            self._offset = chunk.offset
            self._keep_output(chunk.text)

    def _keep_output(self, text: str) -> None:
        """Write what came; what cannot be written now, because the database is away, waits for the next time."""
        self.tail = (self.tail + text)[-LOG_TAIL:]
        room = LOG_KEPT - self._kept - len(self._unwritten)
        self._unwritten += text[: max(0, room)]
        self._left_out += max(0, len(text) - max(0, room))
        if self._unwritten:
            training.append_log(self.job, self._unwritten)
            self._kept += len(self._unwritten)
            self._unwritten = ""
