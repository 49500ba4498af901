"""A web server, a controller and workers as processes of their own, over the test database: they can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests
from django.conf import settings
from django.db import connection

from environments.models import Environment, ManagedServer
from environments.services.address import server_of
from studio.crypto import decrypt
from studio.rasa import proc
from studio.rasa.client import RasaClient
from studio.rasa.commands import free_port
from studio.rasa.process import Handle
from studio.rasa.signing import chat_token
from tests.rasa_fixtures import LOCALHOST, VERSION, runtime_folder

CHECKOUT = Path(settings.BASE_DIR)
SECONDS = 400
T = TypeVar("T")


class Installation:
    """`environment` is the managed one that tests look at."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.port = free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start_web(self) -> None:
        self._run("-m", "gunicorn", "-c", "studio/gunicorn_conf.py", "studio.wsgi")
        wait_for(self._web_answers, "the web server")

    def start_controller(self) -> subprocess.Popen[bytes]:
        return self._run("manage.py", "controller")

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Of the running service."""
        return self._run("manage.py", "worker", "running")

    def start_schedule(self) -> subprocess.Popen[bytes]:
        return self._run("manage.py", "schedule")

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(40)

    def wait_until_running(self, *, not_pid: int | None = None) -> Handle:
        def runs() -> Handle | None:
            server = self.server()
            if server.state != ManagedServer.State.RUNNING or server.handle is None:
                return None
            handle = Handle.from_json(server.handle)
            return handle if handle.pid != not_pid else None

        return wait_for(runs, f"the server, which says: {self.server().state} {self.server().message}")

    def server(self) -> ManagedServer:
        return ManagedServer.objects.get(environment=self.environment)

    def client(self) -> RasaClient:
        address = server_of(self.environment)
        return RasaClient(address.url, address.token, timeout=30, hosts=LOCALHOST)

    def say(self, sender: str, text: str) -> list[dict[str, object]]:
        return self.client().send(chat_token(decrypt(self.environment.private_key_encrypted), sender), text)

    def _web_answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=20).ok
        except requests.RequestException:
            return False

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (settings.DATA / f"{arguments[-1]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=CHECKOUT,
                env={**os.environ, **self._settings()},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def _settings(self) -> dict[str, str]:
        return {
            "DATABASE_URL": database_url(),
            "PORT": str(self.port),
            "PARLEY_INTERNAL_URL": f"http://127.0.0.1:{self.port}",
            "PARLEY_RASA": str(runtime_folder()),
            "PARLEY_RASA_VERSION": VERSION,
            "PARLEY_WEB_WORKERS": "1",
        }


def database_url() -> str:
    """The test database as DATABASE_URL; DATABASE_URL itself names another one."""
    ours = connection.settings_dict
    who = f"{quote(ours['USER'])}:{quote(ours['PASSWORD'])}"
    return f"postgresql://{who}@/{ours['NAME']}?host={quote(ours['HOST'], safe='')}&port={ours['PORT']}"


def wait_for(found: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.2)
    return value


def is_alive(handle: Handle) -> bool:
    return proc.born(handle.pid) == handle.born
