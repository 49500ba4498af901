"""Brings each managed server to where people want it: one small step for each row at each turn of the loop."""

import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime, timedelta
from typing import cast

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from environments.controller.folder import prepare
from environments.controller.versions import Choice, choose
from environments.models import Environment, ManagedServer
from environments.services import starter
from environments.services.database import ensure_intake
from environments.services.environments import note_server
from environments.services.managed import log_path
from environments.serving import memory
from environments.serving.code import code_of
from environments.serving.files import cap_log
from environments.serving.watch import Answer, Watch
from models_app.models import Model
from models_app.services.rasa_uses import chosen_by
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import record
from studio.crypto import decrypt, encrypt
from studio.rasa.commands import free_port
from studio.rasa.process import Handle, Processes, StartFailed, Status
from studio.rasa.runtime import Runtime

log = structlog.get_logger()
State = ManagedServer.State

LONGEST_PAUSE = 60  # seconds between two tries
STEADY = timedelta(seconds=60)  # a server that was ready for so long has overcome its former failures
RECORDED_EVERY = timedelta(hours=1)
START_WITHIN = timedelta(minutes=10)  # a large model on a busy machine
SILENT_FOR = timedelta(minutes=5)  # loading a large model freezes Rasa for less than a minute
LOOK_EVERY = timedelta(seconds=10)
GRACE_SECONDS = 10.0
END_SECONDS = 1.0  # for what ends at once to have ended, in the same turn
PULLS_EVERY = timedelta(seconds=1)
LOG_SECONDS = 60.0
PULLED_WITHIN = timedelta(minutes=1)  # of the tag's move: it asks every five seconds, and then has to load

NO_MODEL = "It starts as soon as a model is promoted to this environment."
NO_ROLES = (
    "Our PostgreSQL role may not make the roles that Rasa needs. "
    "The environment's page shows the SQL for a database administrator."
)
NO_PARLEY = "It starts together with Parley's controller."
NO_CLUSTER = "Kubernetes does not answer. It starts once Parley knows what still runs there."
AWAITS_MODEL = "The server runs and waits for its first model."
LOADED_NOTHING = "The server runs, but it could not load the model. Its log says why."


class Supervisor:
    """One for each controller. It remembers nothing that matters: a new one reads the rows and goes on."""

    def __init__(
        self,
        processes: Processes,
        *,
        watch: Watch | None = None,
        free_memory: Callable[[], int | None] = memory.for_servers,
    ) -> None:
        self._processes = processes
        self._watch = watch or Watch()
        self._free_memory = free_memory
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="stop")
        self._stops: dict[int, tuple[Future[Status], str]] = {}  # with why, of those that failed
        self._waited: dict[int, datetime] = {}  # when a server was last seen waiting for a place in a cluster
        self._codes: dict[
            int, tuple[int | None, str]
        ] = {}  # model and digest of the code that a server was started with
        self._logs_due = 0.0
        self._chosen: dict[int, str] = {}  # by assistant, read at each turn
        self._has_begun = False

    def take_over(self) -> None:
        """After the start: what a former controller ran has ended with it, which is no failure of the server.

        And after the database was away, when what we run ourselves goes on.
        """
        self._has_begun = self._has_begun or self._has_swept()
        for server in _rows():
            if server.pk in self._stops:
                continue
            if server.handle is None:
                _write(server, state=State.WAITING, message="")
            elif not self._processes.poll(_handle(server)).running:
                self._stop(server, grace=0)  # what is left of it; until then no other is started beside it

    def _has_swept(self) -> bool:
        """End what a former controller left in a cluster, which finds no desk any more. Whether one could look; until
        then nothing is started, because the next look could not tell it from what was left."""
        left = self._processes.left_below(settings.SERVERS_DIR)
        return left is not None and all(self._processes.end_all_of(settings.SERVERS_DIR / name) for name in left)

    def step(self) -> None:
        """Look once at every server; never waits for one."""
        if not self._has_begun and self._has_swept():
            self._has_begun = True
            self.take_over()
        now, self._chosen = timezone.now(), chosen_by()
        for server in _rows():
            try:
                self._advance(server, now)
            except (DatabaseError, InterfaceError):
                raise
            except Exception:  # an error of ours with one server must not leave the others alone
                log.exception("server not looked after", environment=str(server.environment))
        self._cap_logs()

    def stop_all(self) -> None:
        """End every server when the controller ends, all at once."""
        running = [server for server in _rows() if server.handle is not None]
        stops = [self._pool.submit(self._processes.stop, _handle(server), GRACE_SECONDS / 2) for server in running]
        for server, stop in zip(running, stops, strict=True):
            stop.result()
            _write(server, state=State.WAITING if server.wanted else State.STOPPED, handle=None, message=NO_PARLEY)

    # --- One server -----------------------------------------------------------------------------------------------

    def _advance(self, server: ManagedServer, now: datetime) -> None:
        if server.handle is None:
            self._start_when_due(server, now)
        elif server.pk in self._stops:
            self._after_stop(server, now)
        elif server.state == State.STOPPING:  # that stop broke off, or was a former controller's
            self._stop(server)
        elif not (status := self._processes.poll(_handle(server))).running:
            self._end_as_failed(server, status.explain(), now)
        elif _must_end(server) or self._has_other_code(server) or not self._choose(server).is_what_runs(server):
            self._stop(server)
        elif server.state == State.STARTING:
            self._await_answer(server, status, now)
        else:
            self._keep(server, now)

    def _start_when_due(self, server: ManagedServer, now: datetime) -> None:
        if not _is_due(server):
            _say(server, State.STOPPED if not server.wanted else State.WAITING, "" if not server.wanted else NO_MODEL)
        elif server.retry_at is not None and server.retry_at > now:
            return  # the message says when
        elif (runtime := (choice := self._choose(server)).runtime) is None:
            _say(server, State.WAITING, choice.why)
        elif obstacle := self._obstacle(server.environment):
            _say(server, State.WAITING, obstacle)
        else:
            self._start(server, runtime, now)

    def _choose(self, server: ManagedServer) -> Choice:
        return choose(server, _model(server), self._chosen.get(server.environment.assistant_id, ""))

    def _obstacle(self, environment: Environment) -> str:
        if not self._has_begun:
            return NO_CLUSTER
        if ensure_intake(environment) is None:
            return NO_ROLES
        return memory.shortage(self._free_memory())

    def _start(self, server: ManagedServer, runtime: Runtime, now: datetime) -> None:
        port, token = free_port(), secrets.token_urlsafe(24)
        model, code = _model(server), code_of(_model(server))
        self._codes[server.pk] = (model.pk if model else None, code.digest)
        self._watch.forget(server.pk)
        _write(
            server,
            state=State.STARTING,
            message="",
            host="",
            port=port,
            rasa=runtime.name,
            rasa_version=runtime.version,
            token_encrypted=encrypt(token),
            started_at=max(now, server.restart_requested_at or now),  # the clock of who asked may be ahead
            ready_at=None,
            retry_at=None,
            heartbeat_at=None,
        )
        try:
            spec = prepare(
                server.environment,
                port=port,
                token=token,
                code=code,
                runtime=runtime,
                interface=self._processes.interface,
            )
            handle = self._processes.start(spec)
        except StartFailed as error:
            self._failed(server, error.message, now)
        except OSError as error:
            self._failed(server, f"Its files could not be written: {error.strerror}.", now)
        else:
            self._keep_handle(server, handle)
            _note_version(server.environment, runtime)

    def _keep_handle(self, server: ManagedServer, handle: Handle) -> None:
        """A process that no row knows would never be ended."""
        try:
            _write(server, handle=handle.to_json())
        except (DatabaseError, InterfaceError):
            self._processes.stop(handle, grace=0)
            raise
        log.info("server started", environment=str(server.environment), pid=handle.pid, port=server.port)

    def _await_answer(self, server: ManagedServer, status: Status, now: datetime) -> None:
        if status.is_waiting:
            self._waited[server.pk] = now
        _say(server, State.STARTING, f"It waits for the cluster. {status.why}" if status.is_waiting else "")
        answer = self._watch.answer(server.pk)
        if answer is not None and answer.answers:
            _write(
                server,
                state=State.RUNNING,
                message=self._told(server, answer, now),
                ready_at=now,
                heartbeat_at=now,
            )
        elif now - self._began(server, now) > START_WITHIN:
            self._end_as_failed(server, "It did not answer within ten minutes of its start.", now)
        else:
            self._ask(server)

    def _began(self, server: ManagedServer, now: datetime) -> datetime:
        """When it was started, or had a place in its cluster."""
        started = server.started_at or now
        return max(started, self._waited.get(server.pk, started))

    def _keep(self, server: ManagedServer, now: datetime) -> None:
        """A running one: forgive its failures after a while, see that it answers."""
        if server.failures and server.ready_at is not None and now - server.ready_at > STEADY:
            _write(server, failures=0)
        answer = self._watch.answer(server.pk)
        if answer is not None and answer.answers:
            _write(server, heartbeat_at=now, message=self._told(server, answer, now))
        silent = now - (server.heartbeat_at or now)
        if silent > SILENT_FOR:
            self._end_as_failed(server, "It did not answer for five minutes.", now)
        elif silent > (PULLS_EVERY if _pulls_now(server) else LOOK_EVERY):
            self._ask(server)

    def _told(self, server: ManagedServer, answer: Answer, now: datetime) -> str:
        why = self._choose(server).why
        if answer.has_model:
            return why
        tag = server.environment.tag
        pulls_it_soon = tag is None or tag.model is None or now - tag.moved_at < PULLED_WITHIN
        return AWAITS_MODEL if pulls_it_soon else why or LOADED_NOTHING

    def _ask(self, server: ManagedServer) -> None:
        host = self._host_of(server)
        if server.port is not None and host:
            starting = server.state == State.STARTING
            self._watch.ask(server.pk, host, server.port, decrypt(server.token_encrypted), prove=starting)

    def _host_of(self, server: ManagedServer) -> str:
        """In a cluster it is known only when it has started; then it stays."""
        if not server.host and (found := self._processes.host(_handle(server))):
            _write(server, host=found)
        return server.host

    def _has_other_code(self, server: ManagedServer) -> bool:
        """Whether the model that it is to run needs other Python code: a running Rasa has imported the former."""
        model = _model(server)
        started_with, digest = self._codes.get(server.pk, (None, None))
        if model is None or model.pk == started_with:
            return False
        code = code_of(model).digest
        self._codes[server.pk] = (model.pk, code)
        return digest is not None and code != digest

    # --- Ends -----------------------------------------------------------------------------------------------------

    def _stop(self, server: ManagedServer, grace: float = GRACE_SECONDS) -> None:
        _write(server, state=State.STOPPING, message="")
        self._begin_stop(server, grace)

    def _begin_stop(self, server: ManagedServer, grace: float, why: str = "") -> Future[Status]:
        stop = self._pool.submit(self._processes.stop, _handle(server), grace)
        self._stops[server.pk] = (stop, why)
        return stop

    def _after_stop(self, server: ManagedServer, now: datetime) -> None:
        stop, why = self._stops[server.pk]
        if not stop.done():
            return
        del self._stops[server.pk]
        stop.result()
        if why:
            self._failed(server, why, now)
        else:
            _write(server, state=State.WAITING, handle=None, port=None, message="")
            log.info("server stopped", environment=str(server.environment))

    def _end_as_failed(self, server: ManagedServer, why: str, now: datetime) -> None:
        """Also one that ended by itself: something of it may be left. One end that takes long holds up no other."""
        if wait([self._begin_stop(server, 0, why)], timeout=END_SECONDS).not_done:
            _say(server, State.STOPPING, why)
        else:
            self._after_stop(server, now)

    def _failed(self, server: ManagedServer, why: str, now: datetime) -> None:
        failures = server.failures + 1
        pause = min(2 ** (failures - 1), LONGEST_PAUSE)
        log.warning("server ended", environment=str(server.environment), why=why, failures=failures)
        with transaction.atomic():
            _record_end(server.environment, why, now)
            _write(
                server,
                state=State.WAITING,
                handle=None,
                port=None,
                failures=failures,
                last_end=why,
                last_ended_at=now,
                retry_at=now + timedelta(seconds=pause),
                message=f"{why} It is started again {pause} s later.",
            )

    def _cap_logs(self) -> None:
        if time.monotonic() < self._logs_due:
            return
        self._logs_due = time.monotonic() + LOG_SECONDS
        for server in _rows():
            with suppress(OSError):  # a full disk: the log goes on growing, and the next turn tries again
                cap_log(log_path(server.environment))


def _rows() -> list[ManagedServer]:
    """Every server, also of environments that were removed or connected elsewhere: theirs must be ended."""
    return list(
        ManagedServer.objects.select_related(
            "environment__assistant", "environment__tag__model__revision", "environment__tag__model__assistant"
        ).order_by("pk")
    )


def _is_due(server: ManagedServer) -> bool:
    """Whether this server should run: people want it, its environment is in use, and it has a model or soon will."""
    environment = server.environment
    in_use = environment.removed_at is None and environment.assistant.deleted_at is None
    managed = environment.kind == Environment.Kind.MANAGED
    return server.wanted and in_use and managed and (_model(server) is not None or starter.is_coming(environment))


def _model(server: ManagedServer) -> Model | None:
    tag = server.environment.tag
    return None if tag is None else tag.model


def _note_version(environment: Environment, runtime: Runtime) -> None:
    """Promotions ask what a server loads before anybody has asked the server."""
    if (environment.server_version, environment.server_minimum_version) != (
        runtime.version,
        runtime.minimum_compatible_version,
    ):
        note_server(
            environment=environment,
            version=runtime.version,
            minimum_compatible_version=runtime.minimum_compatible_version,
        )


def _pulls_now(server: ManagedServer) -> bool:
    """Its first model is there to be pulled. Before that Rasa writes an error into its log for every look."""
    return server.message == AWAITS_MODEL and _model(server) is not None


def _record_end(environment: Environment, why: str, now: datetime) -> None:
    """At most once in RECORDED_EVERY: one that goes on dying would fill the audit log."""
    ends = AuditEvent.objects.filter(action=Action.SERVER_ENDED, target_kind="environment", target_id=environment.pk)
    if ends.filter(at__gt=now - RECORDED_EVERY).exists():
        return
    record(None, Action.SERVER_ENDED, environment, assistant_id=environment.assistant_id, after={"why": why})


def _must_end(server: ManagedServer) -> bool:
    asked, started = server.restart_requested_at, server.started_at
    return not _is_due(server) or (asked is not None and started is not None and asked > started)


def _handle(server: ManagedServer) -> Handle:
    return Handle.from_json(cast(Mapping[str, object], server.handle))


def _say(server: ManagedServer, state: str, message: str) -> None:
    if (server.state, server.message) != (state, message):
        _write(server, state=state, message=message)


def _write(server: ManagedServer, **values: object) -> None:
    """Only what the controller owns; a row that was deleted meanwhile stays deleted."""
    for name, value in values.items():
        setattr(server, name, value)
    ManagedServer.objects.filter(pk=server.pk).update(**values)
