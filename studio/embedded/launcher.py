"""What `make run` does, in order: lock, clear what a killed run left, services, database, programs, watch, stop."""

import fcntl
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from studio.embedded import config, leftovers, ports, postgres, programs, redis_server
from studio.embedded.config import CHECKOUT, Config
from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders
from studio.embedded.supervision import Supervisor
from studio.embedded.terminal import Step, say
from studio.embedded.watch import Watch

_START_SECONDS = 60.0  # for a server or the web to answer
_STOP_SECONDS = 45.0  # longer than all programs together may take, by programs.py
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody told the launcher to stop. No Exception: nothing on the way may take it for an error."""


def run(settings: Config) -> None:
    """Start everything and keep it running until told to stop. LaunchError when it cannot start."""
    settings.folders.make()
    with _locked(settings):
        _clear_the_way(settings)
        launch = _Launch(settings)
        for number in _STOP_SIGNALS:
            signal.signal(number, _raise_stopped)
        try:
            launch.start()
            launch.watch()
        except Stopped:
            pass
        finally:
            launch.stop()


def manage(settings: Config, arguments: Sequence[str]) -> int:
    """Run one of manage.py's commands beside PostgreSQL and Redis, and nothing else; its exit code.

    For a restore, which wants the database to itself. LaunchError while the installation runs.
    """
    settings.folders.make()
    with _locked(settings):
        leftovers.end(settings.folders)
        launch = _Launch(settings)
        for number in _STOP_SIGNALS:
            signal.signal(number, _raise_stopped)
        try:
            launch.start_services()
            return launch.run_command(arguments)
        except Stopped:
            return 130
        finally:
            launch.stop()


def _raise_stopped(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


@contextmanager
def _locked(settings: Config) -> Iterator[None]:
    """Hold the installation. The kernel lets go of it when we die, however that happens."""
    with (settings.folders.run / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LaunchError(
                f"Parley is running with this data already: {file.read().strip()}. Stop it first, or start a second "
                f"one with other values of PARLEY_DATA (now {settings.folders.data}) and PORT (now {settings.port})."
            ) from None
        file.truncate(0)
        file.write(f"{settings.address}, process {os.getpid()}")
        file.flush()
        yield


def _clear_the_way(settings: Config) -> None:
    """First what a killed run left, for it may hold the port; then the port."""
    ended = leftovers.end(settings.folders)
    if ended:
        say(f"  {ended} processes that a killed run left behind were ended.")
    if problem := ports.problem_with(settings.bind, settings.port):
        raise LaunchError(
            f"Port {settings.port} {problem}. End the program that has it, or choose another: "
            f"PORT={settings.port + 1} make run"
        )


class _Launch:
    """One run of the installation: the supervisor's process and what was told to it."""

    def __init__(self, settings: Config) -> None:
        self.settings = settings
        self.folders: Folders = settings.folders
        self.supervisor = Supervisor(settings.folders)
        self.process: subprocess.Popen[bytes] | None = None
        self.postgres: postgres.Postgres | None = None
        self.redis: redis_server.RedisServer | None = None
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        say(f"Parley starts; its data is in {self.folders.data}.")
        self.start_services()
        facts = self._prepare_application()
        with Step("Starting the web") as step:
            self.supervisor.start("web")
            self._await_web(step)
        self.supervisor.start_group(programs.APPLICATION)  # not before: they would slow the web's start
        _welcome(self.settings, facts)

    def start_services(self) -> None:
        self._prepare()
        with Step("Starting PostgreSQL and Redis") as step:
            self._start_supervisor()
            self._await_services(step)

    def run_command(self, arguments: Sequence[str]) -> int:
        """One of manage.py's, at this terminal; it dies with us."""
        command = postgres.wrapped(programs.manage(*arguments), None, "SIGKILL")
        return subprocess.run(command, env=self.environment, check=False).returncode

    def watch(self) -> None:
        """Keep the supervisor running, and tell what happens to the programs under it."""
        watch = Watch(self.supervisor)
        while True:
            time.sleep(1)
            if self.process is not None and self.process.poll() is not None:
                say("The process supervisor ended unexpectedly; starting everything again.")
                self._restart()
                watch = Watch(self.supervisor)
            watch.look()

    def stop(self) -> None:
        """End every process, also one that hangs. A second Ctrl-C does not wait for the orderly end."""
        hurried = False

        def hurry(_number: int, _frame: FrameType | None) -> None:
            nonlocal hurried
            hurried = True

        for number in _STOP_SIGNALS:
            signal.signal(number, hurry)
        with Step("Stopping (Ctrl-C again: at once)"):
            if self.process is not None and self.process.poll() is None:
                self.process.terminate()
                _wait_while(lambda: self.process is not None and self.process.poll() is None and not hurried)
                self.process.kill()
                self.process.wait()
            leftovers.end(self.folders, grace=0.5 if hurried else 3.0)

    def _prepare(self) -> None:
        found = config.generated_secrets(self.folders)
        if not self.settings.has_database:
            with Step("Preparing PostgreSQL"):
                self.postgres = postgres.prepare(self.folders, port=self.settings.postgres_port)
            found["DATABASE_URL"] = self.postgres.url()
            if self.folders.postgres.is_symlink():
                place = self.folders.postgres.resolve()
                say(f"  PostgreSQL's own user cannot enter {self.folders.data}; its files are in {place}.")
        if not self.settings.has_redis:
            self.redis = redis_server.prepare(self.folders)
            found["REDIS_URL"] = self.redis.url
        config.write_environment(self.settings, found)
        self.environment = _for_children(self.settings, found)
        self.supervisor.configure([*programs.services(self.postgres, self.redis), *programs.application(self.settings)])

    def _start_supervisor(self) -> None:
        """In a session of its own: Ctrl-C reaches the launcher alone, which then stops all in order."""
        with (self.folders.logs / "supervisor.out").open("ab") as out:
            self.process = subprocess.Popen(
                self.supervisor.command(),
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _await_services(self, step: Step) -> None:
        if self.postgres is not None:
            postgres.wait_until_ready(self.postgres, self._patience(step, "postgres"))
            postgres.ensure_application(self.postgres)
        if self.redis is not None:
            redis_server.wait_until_ready(self.redis.url, self._patience(step, "redis"))
        patience = self._patience(step, "supervisor")
        while True:
            try:
                self.supervisor.states()
                return
            except OSError as error:
                patience(str(error))

    def _await_web(self, step: Step) -> None:
        host = "127.0.0.1" if self.settings.bind in ("0.0.0.0", "::") else self.settings.bind  # noqa: S104
        url = f"http://{f'[{host}]' if ':' in host else host}:{self.settings.port}/healthz"
        patience = self._patience(step, "web")
        while not _answers(url):
            patience("it does not answer yet")

    def _patience(self, step: Step, name: str) -> Callable[[str], None]:
        """What is called between two tries of reaching `name`; it gives up with the end of its log."""
        deadline = time.monotonic() + _START_SECONDS

        def wait(why: str) -> None:
            ended = self.process is None or self.process.poll() is not None
            recovering = "starting up" in why or "loading" in why.lower()
            if ended or (time.monotonic() > deadline and not recovering):
                raise LaunchError(f"{name} does not start: {why}\n\n{self.supervisor.log_tail(name)}")
            step.detail = f"waiting for {name}"
            time.sleep(0.05)

        return wait

    def _prepare_application(self) -> dict[str, Any]:
        """Bootstrap's answer: how to sign in."""
        output = self._manage("Preparing the application", "prepare")
        facts: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return facts

    def _manage(self, title: str, *arguments: str) -> str:
        """Run one of manage.py's commands to its end; its output. LaunchError with what it complained about."""
        log = self.folders.logs / "setup.log"
        with Step(title) as step, log.open("a+b") as errors:
            began = errors.tell()
            process = subprocess.Popen(
                postgres.wrapped(programs.manage(*arguments), None, "SIGKILL"),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            output = _read(process, step)
            if process.returncode != 0:
                errors.seek(began)
                complaint = errors.read().decode(errors="replace")[-4000:]
                raise LaunchError(f"manage.py {arguments[0]} failed:\n\n{complaint}\n(the whole is in {log})")
        return output

    def _restart(self) -> None:
        leftovers.end(self.folders)
        with Step("Starting again") as step:
            self._start_supervisor()
            self._await_services(step)
            self.supervisor.start_group(programs.APPLICATION)


def _for_children(settings: Config, found: Mapping[str, str]) -> dict[str, str]:
    """The environment of all processes; the mark in it is how a later start knows them."""
    own = {
        "PARLEY_DATA": str(settings.folders.data),
        "PORT": str(settings.port),
        leftovers.MARK: str(settings.folders.data),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **found, **own}


def _read(process: subprocess.Popen[str], step: Step) -> str:
    """All output of `process`, which is ended when we are told to stop meanwhile."""
    lines = []
    try:
        for line in process.stdout or ():
            if not line.startswith("{"):  # not the machine's answer, which holds a password
                step.detail = line.strip()
            lines.append(line)
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return "".join(lines)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except urllib.error.HTTPError:
        return False
    except OSError:
        return False


def _wait_while(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _welcome(settings: Config, facts: Mapping[str, Any]) -> None:
    say()
    say("Parley is running.")
    say()
    say(f"  Address     {settings.address}")
    say(f"  User name   {facts['username']}")
    if facts["password"]:
        say(f"  Password    {facts['password']}  (generated now, shown only this once)")
    say(f"  Sign in     {facts['link']}  (works once)")
    say(f"  Logs        {settings.folders.logs}")
    say()
    say("Ctrl-C stops everything.")
