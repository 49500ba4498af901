"""Holds one slot: fetches its model, starts Rasa on it, serves until it is stopped, and says how it went."""

import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from environments.models import Slot
from environments.services import slots, trying
from environments.services.database import ensure_intake
from environments.serving import memory
from environments.serving.code import code_of
from environments.serving.files import cap_log, interface_of, server_spec
from environments.serving.rasa import NoRasa, runtime_for
from environments.serving.watch import HOST, Answer, look
from models_app.models import Model
from models_app.services.archives import NoArchive, fetch_archive
from models_app.storage import StoreFailed
from models_app.training.output import failure_message
from studio.jobs.patience import insist, pulse
from studio.rasa.commands import free_port
from studio.rasa.process import Handle, Processes, Spec, StartFailed, Status
from studio.rasa.runtime import Runtime

log = structlog.get_logger()

STARTING_LOOK, SERVING_LOOK = 0.15, 0.5  # seconds between two looks at the process
BEAT_SECONDS = 2.0
ASK_SECONDS = 10.0  # between two questions whether it answers
SILENT_SECONDS = 60.0  # a Rasa that answers nobody for so long is dead
START_SECONDS = 600.0  # a large model on a busy machine
GRACE_SECONDS = 5.0
PORTS = 3  # that may be taken in the moment between our look and Rasa's
TAKEN = "address already in use"
NO_ROLES = (
    "Our PostgreSQL role may not make the roles that Rasa needs. The assistant's settings of trying show the SQL for a "
    "database administrator."
)


class CannotStart(Exception):
    """Trying again would not help; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Died(Exception):
    """The process ended, or answers nobody; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PortTaken(Exception):
    """Somebody else took the port before Rasa did."""


class Stopped(Exception):
    """The slot is to end; its row says why."""


def folder_of(slot: Slot) -> Path:
    return Path(settings.SERVERS_DIR) / "slots" / f"{slot.pk}-{slot.attempt}"


@dataclass
class Holder:
    """One attempt of one slot on this worker."""

    slot: Slot
    processes: Processes
    ask: Callable[[str, int, str, bool], Answer] = look
    free_memory: Callable[[], int | None] = memory.for_servers
    is_over: Callable[[], bool] = lambda: False  # the worker is to end
    _tail: str = field(default="", init=False)
    _told: str = field(default="", init=False)
    _offset: int = field(default=0, init=False)
    _peak: int = field(default=0, init=False)
    _beat_due: float = field(default=0.0, init=False)
    _is_ready: bool = field(default=False, init=False)
    _deaths: int = field(default=0, init=False)
    _host: str = field(default="", init=False)  # that the row names, when it is another machine

    def hold(self) -> None:
        """Until it ends; every way that can happen is written to its row. Raises slots.Superseded."""
        self._deaths = self.slot.deaths
        try:
            runtime, archive = self._prepare()
            while not self._live(runtime, archive):
                pass
        except (Stopped, slots.StopRequested):
            insist(partial(slots.end, self.slot))
        except CannotStart as error:
            insist(partial(slots.fail, self.slot, error.message))
        except OSError as error:
            log.exception("slot stopped by the machine", slot=self.slot.pk)
            insist(partial(slots.fail, self.slot, f"The machine stopped it: {error.strerror or error}."))
        except slots.Superseded:
            raise
        except Exception:  # an error of ours is no silent worker: whoever waits for it reads that it failed
            log.exception("slot failed", slot=self.slot.pk)
            insist(partial(slots.fail, self.slot, "An error of Parley's ended it; the log of its worker says which."))

    def _live(self, runtime: Runtime, archive: Path) -> bool:
        """One life of its process. False when it died and may have another."""
        try:
            for _port in range(PORTS):
                try:
                    self._run(runtime, archive)
                except PortTaken:
                    continue
            raise Died("Every port that was free was taken by another program before Rasa could listen there.")
        except Died as death:
            log.warning("slot died", slot=self.slot.pk, why=death.message)
            self._deaths += 1
            return not insist(partial(slots.note_death, self.slot, death.message, nth=self._deaths))

    # --- Before it starts ---------------------------------------------------------------------------------------------

    def _prepare(self) -> tuple[Runtime, Path]:
        """The Rasa and the model's archive, whole, below the slot's folder. Raises CannotStart."""
        model, folder = self.slot.model, folder_of(self.slot)
        self._tell("Fetching the model", at_once=True)
        if not insist(self._has_intake):
            raise CannotStart(NO_ROLES)
        try:
            runtime = insist(partial(runtime_for, model))
        except NoRasa as error:
            raise CannotStart(error.message) from None
        free = self.free_memory()
        if free is not None:
            free -= insist(partial(_still_to_be_taken, self.slot))
        if short := memory.shortage(free, insist(partial(_usual_memory, model))):
            raise CannotStart(short)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive = folder / model.file_name
        try:
            with pulse(partial(slots.still_there, self.slot)):
                insist(partial(fetch_archive, model, archive))
        except (NoArchive, StoreFailed) as error:
            raise CannotStart(error.message) from None
        return runtime, archive

    def _has_intake(self) -> bool:
        with connection.wrap_database_errors:  # it speaks to psycopg itself; `insist` knows Django's errors
            return ensure_intake(self.slot.environment) is not None

    def _spec(self, runtime: Runtime, archive: Path, port: int, token: str) -> Spec:
        folder = folder_of(self.slot)
        return server_spec(
            self.slot.environment,
            folder=folder,
            log=folder / "rasa.log",
            port=port,
            token=token,
            code=insist(partial(code_of, self.slot.model)),
            runtime=runtime,
            model=archive,
            interface=interface_of(settings.SLOT_HOST, self.processes.interface),
        )

    # --- While it lives -----------------------------------------------------------------------------------------------

    def _run(self, runtime: Runtime, archive: Path) -> None:
        """From the start to the end. Raises Stopped, Died, PortTaken, CannotStart."""
        port, token = free_port(), secrets.token_urlsafe(24)
        insist(
            partial(
                slots.begin,
                self.slot,
                host=settings.SLOT_HOST,
                port=port,
                token=token,
                rasa=runtime.name,
                rasa_version=runtime.version,
            )
        )
        self._tail, self._offset, self._is_ready, self._host = "", 0, False, ""
        (folder_of(self.slot) / "rasa.log").unlink(missing_ok=True)  # what the one before wrote is no news of this one
        try:
            handle = self.processes.start(self._spec(runtime, archive, port, token))
        except StartFailed as error:
            raise CannotStart(error.message) from None
        try:
            self._await(handle, port, token)
            self._serve(handle, port, token)
        finally:
            with pulse(partial(slots.still_there, self.slot)):
                self.processes.stop(handle, GRACE_SECONDS)
            self._read(handle)
            insist(self._flush)

    def _await(self, handle: Handle, port: int, token: str) -> None:
        """Until it answers with its model."""
        until = time.monotonic() + START_SECONDS
        while True:
            if self._look_after(handle, "Starting Rasa and loading the model").is_waiting:
                until = time.monotonic() + START_SECONDS
            answer = self._asked(handle, port, token, prove=True)
            if answer.answers and not answer.has_model:
                why = failure_message(self._tail, "Its log says no more.")
                raise CannotStart(f"Rasa could not load {self.slot.model.name}. {why}")
            if answer.answers:
                if not insist(partial(slots.ready, self.slot)):
                    raise Stopped
                self._is_ready = True
                return
            if time.monotonic() > until:
                raise Died("It did not answer within ten minutes of its start.")
            time.sleep(STARTING_LOOK)

    def _serve(self, handle: Handle, port: int, token: str) -> None:
        """Until it is to end, or dies."""
        heard = asked = time.monotonic()
        while True:
            time.sleep(SERVING_LOOK)
            self._look_after(handle, "")
            now = time.monotonic()
            if now - asked > ASK_SECONDS:
                heard = now if self._asked(handle, port, token).answers else heard
                asked = now
            if now - heard > SILENT_SECONDS:
                raise Died("It did not answer for a minute.")

    def _asked(self, handle: Handle, port: int, token: str, *, prove: bool = False) -> Answer:
        """Whether it answers where it is; in a cluster that shows when it has started."""
        host = self.processes.host(handle) or self._host or None  # a cluster that does not answer moves nothing
        if host is None:
            return Answer(False)
        if host not in (HOST, self._host):
            insist(partial(slots.note_host, self.slot, host))
            self._host = host
        return self.ask(host, port, token, prove)

    def _look_after(self, handle: Handle, step: str) -> Status:
        status = self.processes.poll(handle)
        self._peak = max(self._peak, status.peak_memory or status.memory or 0)
        self._read(handle)
        if self.is_over():
            insist(partial(slots.leave, self.slot, "The worker that held it was stopped."))
            raise Stopped
        if not status.running:
            raise self._death_of(status)
        self._tell(f"Waiting for the cluster. {status.why}" if status.is_waiting else step, status)
        return status

    def _death_of(self, status: Status) -> Exception:
        if status.code == 0 and TAKEN in self._tail.lower():
            return PortTaken()
        if self._is_ready:  # its log may hold what people said, which not everybody here may read
            return Died(f"{status.explain()} Its log may say more.")
        by_itself = status.code is not None and status.code > 0
        return Died(failure_message(self._tail, status.explain()) if by_itself else status.explain())

    def _read(self, handle: Handle) -> None:
        while (chunk := self.processes.read_log(handle, self._offset)).text:
            self._offset = chunk.offset
            self._tail = (self._tail + chunk.text)[-slots.LOG_TAIL :]
        cap_log(Path(handle.log))

    # --- What is told and what is heard -------------------------------------------------------------------------------

    def _tell(self, step: str, status: Status | None = None, *, at_once: bool = False) -> None:
        """Beat when it is time, and obey what the row says. A database that is away stops no slot."""
        if time.monotonic() < self._beat_due and not at_once:
            return
        self._beat_due = time.monotonic() + BEAT_SECONDS
        facts: dict[str, object] = {"step": step[:200], "peak_memory": self._peak or None}
        if status is not None:
            facts["memory"] = status.memory
        if self._tail != self._told:
            facts["log"] = self._tail
        try:
            row = slots.beat(self.slot, **facts)
            self._told = self._tail
            self._forget(row)
            self._obey(row)
        except (OperationalError, InterfaceError):
            log.warning("database away, the slot goes on", slot=self.slot.pk)
            connection.close()

    def _forget(self, row: Slot) -> None:
        """What stood in the log when somebody erased what was said."""
        if row.log_cuts == self.slot.log_cuts:
            return
        self.slot.log_cuts, self._tail, self._told = row.log_cuts, "", ""
        with suppress(FileNotFoundError):
            os.truncate(folder_of(self.slot) / "rasa.log", 0)  # Rasa appends, and goes on at the start
        (folder_of(self.slot) / "rasa.log.1").unlink(missing_ok=True)

    def _flush(self) -> None:
        slots.beat(self.slot, log=self._tail, peak_memory=self._peak or None)

    def _obey(self, row: Slot) -> None:
        if row.state == Slot.State.STOPPING:
            raise Stopped
        if row.ready_at is None or row.state != Slot.State.RUNNING:
            return
        minutes = trying.idle_minutes_of(row.model.assistant)
        last = max(row.ready_at, row.used_at or row.ready_at)
        if timezone.now() - last <= timedelta(minutes=minutes):
            return
        why = f"Nobody spoke for {minutes} minute{'' if minutes == 1 else 's'}."
        if slots.leave(self.slot, why, unless_used_since=last):
            raise Stopped


def _usual_memory(model: Model) -> int | None:
    """What a slot with this model has taken at most."""
    peaks = Slot.objects.filter(model=model, peak_memory__isnull=False).values_list("peak_memory", flat=True)
    return max((peak or 0 for peak in peaks[:5]), default=None)


def _still_to_be_taken(slot: Slot) -> int:
    """Bytes that slots which start on this machine, and were taken before this one, have not taken yet."""
    here = slot.worker.rpartition(":")[0]
    starting = Slot.objects.filter(state=Slot.State.STARTING, worker__startswith=f"{here}:", pk__lt=slot.pk)
    return sum(max(0, memory.NEEDED_BYTES - (taken or 0)) for taken in starting.values_list("memory", flat=True))
