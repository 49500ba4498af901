"""Follows the Rasa processes of one attempt: their log, progress and limits, and what people ask meanwhile."""

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from django.db import InterfaceError, OperationalError, connection

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.training_settings import Limits
from models_app.training.keeping_log import TAIL, KeptLog
from models_app.training.output import Progress
from studio.jobs.patience import BEAT_SECONDS, insist, pulse
from studio.rasa import process
from studio.rasa.process import Handle, Processes, Spec, Status
from studio.web.formats import duration, size

log = structlog.get_logger()

LOOK_SECONDS = 0.5
NET_SECONDS = 60.0  # after its time we end it; this long after that whoever runs it
ROOM = 1024**2  # bytes; a disk with less is full
WAITS = "Waiting for the cluster"
NO_SPACE, TOO_LARGE = "No space left on device", "File too large"
RAISE_LIMIT = "Raise the limit in the assistant’s training settings, or train with less."


class Cancelled(Exception):
    """Somebody asked for the job to end."""


class HandedBack(Exception):
    """The worker was told to end."""


class AttemptFailed(Exception):
    """The attempt ended without what it was to make; `message` is for people.

    `again`: not the data is the reason, another attempt may come through.
    """

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.again = again


@dataclass
class Attempt:
    """Runs the commands of one attempt one after the other in `folder` and tells the job's row of them."""

    job: TrainingJob
    processes: Processes
    folder: Path
    limits: Limits  # time is that of all commands together, the others are of each
    environment: Mapping[str, str] = field(default_factory=dict)  # for its processes
    is_over: Callable[[], bool] = lambda: False  # the worker is to end
    tail: str = ""  # the end of the log of all commands so far
    peak_memory: int = 0  # bytes, the most of all commands so far
    _progress: Progress = field(default_factory=lambda: Progress(()), init=False)
    _look: Callable[[], None] = field(default=lambda: None, init=False)
    _until: float = field(init=False)
    _log: KeptLog = field(init=False)
    _commands: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)
    _next_beat: float = field(default=0.0, init=False)
    _is_waiting: bool = field(default=False, init=False)  # for a place in a cluster

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.limits.seconds
        self._log = KeptLog(self.job)

    def run(
        self,
        arguments: tuple[str, ...],
        progress: Progress | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> Status:
        """Run `rasa` with `arguments` to its end. Raises Cancelled, HandedBack, AttemptFailed (limits),
        training.Superseded.

        `look` is called whenever its output was read, and again later when the database was away.
        """
        self._progress, self._offset, self._look = progress or Progress(()), 0, look
        self._commands += 1
        handle = self.processes.start(self._spec(arguments))
        try:
            status = self._follow(handle)
        finally:
            with pulse(partial(training.still_there, self.job)):
                self.peak_memory = max(self.peak_memory, self.processes.stop(handle, grace=5).peak_memory or 0)
            insist(partial(self._take_log, handle))
        insist(partial(self._beat, self._progress.step))
        if status.code != 0 and self.is_over():  # the signal went to Rasa, too
            raise HandedBack
        self._refuse_what_the_data_did_not_do(status)
        return status

    def wait(self, seconds: float, step: str) -> None:
        """Say `step` and go on living for so long. Raises Cancelled, HandedBack, training.Superseded."""
        until = time.monotonic() + seconds
        while True:
            if self.is_over():
                raise HandedBack
            try:
                self._beat(step)
            except (OperationalError, InterfaceError):
                connection.close()
            if time.monotonic() >= until:
                return
            time.sleep(min(seconds, BEAT_SECONDS))

    def _refuse_what_the_data_did_not_do(self, status: Status) -> None:
        if status.exceeded is not None:
            raise AttemptFailed(f"{status.exceeded.explain()} {RAISE_LIMIT}")
        if status.code == 0:
            return
        if TOO_LARGE in self.tail and self.limits.disk is not None:
            allowed = size(self.limits.disk)
            raise AttemptFailed(f"It wrote a file larger than the {allowed} it may take of the disk. {RAISE_LIMIT}")
        if NO_SPACE in self.tail or (status.least_room is not None and status.least_room < ROOM):
            raise AttemptFailed("The disk of the training worker is full: make room on it.", again=True)
        if status.code in (None, -signal.SIGKILL):
            raise AttemptFailed(status.explain(), again=True)

    def close(self) -> None:
        """After the last command: write what is not written of the log."""
        self._log.flush()

    def _spec(self, arguments: tuple[str, ...]) -> Spec:
        return Spec(
            arguments=arguments,
            folder=self.folder,
            log=self.folder / f"rasa-{self._commands}.log",
            environment=self.environment,
            python_path=(self.folder,),
            low_priority=True,
            limits=process.Limits(self.limits.memory, self.limits.disk, self.limits.processes),
            seconds=max(0.0, self._until - time.monotonic()) + NET_SECONDS,
        )

    def _follow(self, handle: Handle) -> Status:
        """To its end. What it waits for the cluster is none of its time."""
        looked = time.monotonic()
        while True:
            status = self.processes.poll(handle)
            before, looked, self._is_waiting = looked, time.monotonic(), status.is_waiting
            self._until += looked - before if status.is_waiting else 0.0
            self.peak_memory = max(self.peak_memory, status.peak_memory or status.memory or 0)
            self._tell(handle)
            if not status.running:
                return status
            if self.is_over():
                raise HandedBack
            if time.monotonic() > self._until:
                raise AttemptFailed(
                    f"It took longer than the {duration(self.limits.seconds)} it may take. {RAISE_LIMIT}"
                )
            time.sleep(LOOK_SECONDS)

    def _tell(self, handle: Handle) -> None:
        """Write log and heartbeat. A database that is away stops neither the process nor us: we say it later."""
        try:
            self._take_log(handle)
            self._look()
            if time.monotonic() >= self._next_beat:
                self._next_beat = time.monotonic() + BEAT_SECONDS
                self._beat(self._progress.step)
        except (OperationalError, InterfaceError):
            log.warning("database away, the training goes on", job=self.job.pk)
            connection.close()

    def _beat(self, step: str) -> None:
        progress, peak = self._progress, self.peak_memory or None
        step = WAITS if self._is_waiting else step
        if training.beat(self.job, step=step, done=progress.done, total=progress.total, peak_memory=peak):
            raise Cancelled

    def _take_log(self, handle: Handle) -> None:
        """What cannot be written now, because the database is away, waits for the next time."""
        while (chunk := self.processes.read_log(handle, self._offset)).text:
            self._progress.read(chunk.text)
            self._offset = chunk.offset
            self.tail = (self.tail + chunk.text)[-TAIL:]
            self._log.add(chunk.text)
        self._log.flush()
