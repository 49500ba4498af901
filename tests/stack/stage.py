"""A PostgreSQL, a Redis and ingest processes of one's own, to be killed: those of the test run are for all tests.

What is in the database is read by plain SQL, so that the tests' own Django has no part in it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from django.conf import settings

from conversations.ingest.kafka_settings import KafkaSettings
from studio.embedded import child, keys
from tests.services import Services

STOP_SECONDS = 5.0
PATIENCE = 300.0  # seconds; on a quiet machine none of it takes ten


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services = Services(postgres_options={})  # what it promised is there after a kill
        self.services.folders.make()
        self.database = self.services.start_postgres()
        self.postgres = self.services.processes[-1]
        redis = self.services.start_redis()
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database,
            "REDIS_URL": redis,
            "PARLEY_DATA": str(self.services.folders.data),
            "PARLEY_SECRET_KEY": keys.password(),
            "PARLEY_ENCRYPTION_KEYS": keys.encryption_key(),
            "PARLEY_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "PYTHONPATH": str(settings.BASE_DIR),
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self.manage("migrate", "-v0")

    # --- Programs -----------------------------------------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """A command of ours, waited for; AssertionError with what it said when it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def ingest(self, *program: str, **environment: str) -> subprocess.Popen[bytes]:
        """An ingest process, ended with the tests; `program` is Python's arguments instead of `manage.py ingest`."""
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", sys.executable]
        command += program or ["manage.py", "ingest"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=settings.BASE_DIR, env=self.environment | environment, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.folder / "ingest.log"

    def kill_database(self) -> None:
        os.killpg(self.postgres.pid, signal.SIGKILL)
        self.postgres.wait(20)

    def start_database(self) -> None:
        self.services.start_postgres()
        self.postgres = self.services.processes[-1]

    def flush_redis(self) -> None:
        import redis

        with redis.Redis.from_url(self.environment["REDIS_URL"]) as client:
            client.flushall()

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait(20)
        self.services.stop()

    # --- Rows -----------------------------------------------------------------------------------------------------------

    def one(self, query: LiteralString, *values: object) -> Any:
        """The only column of the only row."""
        row = self.row(query, *values)
        return row[0] if row else None

    def row(self, query: LiteralString, *values: object) -> Any:
        with psycopg.connect(self.database, connect_timeout=5) as session:
            return session.execute(query, values).fetchone()

    def write(self, query: LiteralString, *values: object) -> None:
        with psycopg.connect(self.database, connect_timeout=5) as session:
            session.execute(query, values)

    def add_source(self, kafka: KafkaSettings) -> None:
        """An assistant with its environments, and a Kafka source for it."""
        script = (
            "import json, sys\n"
            "from conversations.ingest.kafka_settings import KafkaSettings, keep_settings\n"
            "from conversations.models import IntakeSource\n"
            "from environments.services.birth import create_assistant\n"
            "cafe = create_assistant(actor=None, slug='default', title='Café')\n"
            "row = IntakeSource(kind='kafka', name='Kafka', assistant=cafe)\n"
            f"keep_settings(row, KafkaSettings(servers={kafka.servers!r}, topics={kafka.topics!r}, group='stage'))\n"
            "row.save()\n"
        )
        self.manage("shell", "-v0", "-c", script)

    def events(self) -> int:
        return int(self.one("SELECT count(*) FROM conversations_event"))

    def has(self, events: int, seconds: float = PATIENCE) -> None:
        """Wait for so many events; the log of ingest is said when they do not come."""
        self.eventually(lambda: self.events() >= events, seconds)
        assert self.events() == events

    def eventually(self, condition: Any, seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                if condition():
                    return
            assert time.monotonic() < until, f"it did not come about\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)

    def is_right(self) -> None:
        """Aggregates are those of a rebuild, and every conversation has each of its events once."""
        self.manage("rebuild_conversations", "--check")


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    made = Stage(folder)
    try:
        yield made
    finally:
        made.end()
