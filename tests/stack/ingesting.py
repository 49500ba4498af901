"""`manage.py ingest` as a process of its own, on the database of the test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from studio.embedded import child

STOP_SECONDS = 5.0


class Ingesting:
    def __init__(self, log: Path, **environment: str) -> None:
        self.log = log
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", sys.executable, "manage.py", "ingest"]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env=os.environ | {"DATABASE_URL": test_database()} | environment,
                stdout=file,
                stderr=file,
            )

    def end(self) -> float:
        """As a supervisor does; the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)


def test_database() -> str:
    """The address of the database that Django made for the tests."""
    ours = connection.settings_dict
    user = f"{quote(ours['USER'])}:{quote(ours['PASSWORD'])}"
    return f"postgresql://{user}@/{ours['NAME']}?host={quote(ours['HOST'])}&port={ours['PORT'] or 5432}"


test_database.__test__ = False  # type: ignore[attr-defined]
