"""The real web server: its workers are killed, and what they counted stays."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.environments.installation import database_url
from tests.stack.programs import free_port

TOKEN = "a-token-of-32-letters-for-prometheus"


class Web:
    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        variables = {
            "PORT": str(port),
            "PARLEY_METRICS_DIR": str(folder),
            "PARLEY_METRICS_TOKEN": TOKEN,
            "PARLEY_WEB_WORKERS": "2",
            "DATABASE_URL": database_url(),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "studio/gunicorn_conf.py", "studio.wsgi:application"]
        self.process = subprocess.Popen(command, env={**os.environ, **variables}, cwd=Path(__file__).parents[2])

    def await_workers(self) -> None:
        until = time.monotonic() + 180
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if len(self.workers()) == 2 and requests.get(f"{self.url}/api/none", timeout=5).status_code == 404:
                    return
            time.sleep(0.1)
        raise AssertionError("gunicorn does not answer")

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def ask(self, times: int) -> None:
        for _ in range(times):
            assert requests.get(f"{self.url}/healthz", timeout=30).status_code == 200

    def counted(self) -> int:
        time.sleep(1.1)  # the text is kept for a second
        text = requests.get(f"{self.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20).text
        found = re.search(r'^parley_http_requests_total\{[^}]*route="/healthz"[^}]*\} (\S+)', text, re.MULTILINE)
        assert found
        return int(float(found[1]))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def web(folder: Path, db) -> Iterator[Web]:
    web = Web(folder)
    try:
        web.await_workers()
        yield web
    finally:
        web.close()


def test_what_killed_workers_counted_stays_and_files_do_not_gather(web: Web, folder: Path) -> None:
    web.ask(40)
    assert web.counted() == 40
    for _ in range(2):
        for worker in web.workers():
            os.kill(worker.pid, signal.SIGKILL)
        time.sleep(0.5)
        web.await_workers()
        web.ask(30)
    assert web.counted() == 100
    assert len(list(folder.glob("counter_*.db"))) == 3  # the master's, which counts nothing, and two for six workers
