"""PostgreSQL and Redis for one test run: started once, by the process that hands out the tests, and ended with it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis

from studio.embedded import keys, postgres, redis_server
from studio.embedded.folders import Folders

# For PostgreSQL: a crash may lose the data, and nobody minds.
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Services:
    """The servers of this run; those that DATABASE_URL and REDIS_URL name are used as they are."""

    def __init__(self, *, postgres_options: dict[str, str] = FORGETFUL) -> None:
        self.postgres_options = postgres_options
        # Open to pass through: as root, PostgreSQL runs as a user of its own.
        self.root = Path(tempfile.mkdtemp(prefix="parley-tests-")).resolve()
        self.root.chmod(0o711)
        self.folders = Folders(self.root / "data")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start what is needed and put its address into the environment, before anything reads the settings."""
        self.folders.make()
        os.environ["PARLEY_DATA"] = str(self.folders.data)
        os.environ.setdefault("PARLEY_SECRET_KEY", keys.password())
        os.environ.setdefault("PARLEY_ENCRYPTION_KEYS", keys.encryption_key())
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = self.start_postgres()
        if os.environ.get("REDIS_URL"):
            refuse_used_redis(os.environ["REDIS_URL"])
        else:
            os.environ["REDIS_URL"] = self.start_redis()

    def stop(self) -> None:
        """SIGINT is PostgreSQL's fast shutdown, and Redis obeys it as well."""
        for process in self.processes:
            process.send_signal(2)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folders.postgres.resolve(), ignore_errors=True)  # may be elsewhere, behind a link
        shutil.rmtree(self.root, ignore_errors=True)

    def start_postgres(self) -> str:
        server = postgres.prepare(self.folders)
        process = self._run(server.command(self.postgres_options), server.user, "postgres", folder=server.data.parent)
        postgres.wait_until_ready(server, _patience(process, "PostgreSQL", self.folders.logs / "postgres.log"))
        postgres.ensure_application(server)
        with postgres.connect(server.url(postgres.SUPERUSER, postgres.SUPERUSER)) as connection:
            # From there Django makes the test databases; outside of tests nobody but the superuser has business in it.
            connection.execute(f"GRANT CONNECT ON DATABASE postgres TO {postgres.APPLICATION}")
        return server.url()

    def start_redis(self) -> str:
        server = redis_server.prepare(self.folders, durable=False)
        process = self._run(server.command(), None, "redis", folder=self.folders.redis)
        redis_server.wait_until_ready(server.url, _patience(process, "Redis", self.folders.logs / "redis.log"))
        return server.url

    def _run(self, command: list[str], user: str | None, name: str, *, folder: Path) -> subprocess.Popen[bytes]:
        with (self.folders.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                postgres.wrapped(command, user, "SIGKILL"),
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which still needs them to clean up
            )
        self.processes.append(process)
        return process


def refuse_used_redis(url: str) -> None:
    """Tests empty their Redis database: one with anything in it is somebody's."""
    with redis.Redis.from_url(url) as client:
        if client.dbsize():
            raise RuntimeError("The database that REDIS_URL names is not empty, and tests empty it. Name another one.")


def use_redis_database(number: int) -> None:
    """Give one of several parallel test processes a database of its own on the same server."""
    url = os.environ["REDIS_URL"]
    os.environ["REDIS_URL"] = f"{url}{'&' if '?' in url else '?'}db={number}"


def _patience(process: subprocess.Popen[bytes], name: str, log: Path, seconds: float = 120) -> Callable[[str], None]:
    deadline = time.monotonic() + seconds

    def wait(why: str) -> None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} for the tests does not start: {why}\n{_tail(log)}")
        time.sleep(0.05)

    return wait


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text()[-2000:]
    return ""
