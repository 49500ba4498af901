"""Workers and a schedule over servers of their own, to be killed while they train; beside Stage, which starts the servers.

The program that trains stands in for Rasa: what is tested is what happens around it.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from studio.rasa.process import MARK
from tests import stand_in
from tests.stack.stage import Stage, stage

RECOVERED = 240.0  # seconds in which every job is to be in a true state again
# Counts itself, says so, and goes on when the test lets it.
WAITS = """
import os, pathlib, time
gate, count = pathlib.Path({gate!r}), pathlib.Path({count!r})
with count.open("a") as file:
    file.write(".")
for _ in range(6000):  # longer than any test waits
    if gate.exists():
        break
    time.sleep(0.1)
"""
ADD = """
from django.conf import settings
from models_app.data.project import read_folder
from environments.services.birth import create_assistant
from models_app.models import Assistant
from models_app.services.revisions import newest_revision, save_revision
from models_app.services.training import request_training
from tests import stand_in

if {real!r}:
    FILES = dict(read_folder(settings.BASE_DIR / "starter").files)
else:
    FILES = stand_in.files({what!r})
assistant = Assistant.objects.filter(slug="default").first() or create_assistant(actor=None, slug="default", title="Café")
newest = newest_revision(assistant)
parent = newest and newest.number
for number in range({number}):
    revision = save_revision(
        actor=None, assistant=assistant, message="", parent_number=parent,
        files=FILES | {{"README.txt": (str({salt!r}) + str(number)).encode()}},
    )
    parent = revision.number
    job = request_training(actor=None, assistant=assistant, revision=revision)
    print("job", job.pk)
"""


class House:
    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.gate, self.count = folder / "gate", folder / "count"
        stand_in.install(folder / "rasa")
        stage.environment |= {
            "PARLEY_RASA": str(folder / "rasa"),
            "PARLEY_RASA_VERSION": stand_in.VERSION,
            "PARLEY_STARTER": "0",
        }
        self.asked = 0

    @property
    def data(self) -> Path:
        return self.stage.services.folders.data

    # --- What is killed -----------------------------------------------------------------------------------------------

    def worker(self, **environment: str) -> subprocess.Popen[bytes]:
        return self.stage.ingest("manage.py", "worker", "training", **environment)

    def schedule(self) -> subprocess.Popen[bytes]:
        return self.stage.ingest("manage.py", "schedule")

    def kill_redis(self) -> None:
        """Nothing of it is on a disk: it comes back empty."""
        for process in self.stage.services.processes:
            if _is_redis(process) and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)

    def start_redis(self) -> None:
        self.stage.services.start_redis()

    def end(self) -> None:
        """All programs of ours, as when the machine goes down."""
        for process in self.stage.running:
            if process.poll() is None:
                process.kill()
                process.wait(20)
        self.stage.running.clear()

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    def ask(self, number: int = 1, what: str = "", *, real: bool = False) -> list[int]:
        """Request trainings of the stand-in, or of the starter's files, each of data of its own; their ids."""
        self.asked += 1
        script = ADD.format(number=number, what=what or self.waits, salt=f"{self.asked}.", real=real)
        said = self.stage.manage("shell", "-v0", "-c", script)
        return [int(line.split()[1]) for line in said.splitlines() if line.startswith("job ")]

    @property
    def waits(self) -> str:
        return WAITS.format(gate=str(self.gate), count=str(self.count))

    def trainings(self) -> int:
        """How often the program began."""
        return len(self.count.read_text()) if self.count.exists() else 0

    def job(self, pk: int) -> dict[str, Any]:
        row = self.stage.one("SELECT row_to_json(j)::text FROM models_app_trainingjob j WHERE id = %s", pk)
        return dict(json.loads(row))

    def is_in(self, pk: int, *states: str) -> bool:
        return self.job(pk)["state"] in states

    def await_training(self, pk: int, trainings: int = 1) -> None:
        self.stage.eventually(lambda: self.is_in(pk, "training") and self.trainings() >= trainings)

    def open(self) -> None:
        """Let what trains go on, and all that comes after it."""
        self.gate.touch()

    def ends_well(self, pk: int, *, attempts: int, seconds: float = RECOVERED) -> None:
        """Within the time of a recovery it has its one model, and nothing is left of it."""
        self.stage.eventually(lambda: self.is_in(pk, "done", "failed", "lost", "cancelled"), seconds)
        job = self.job(pk)
        assert (job["state"], job["attempt"]) == ("done", attempts), job["message"]
        assert self.stage.one(
            "SELECT count(*) FROM models_app_model WHERE id = %s AND deleted_at IS NULL", job["model_id"]
        )
        self.leaves_nothing()

    def leaves_nothing(self) -> None:
        """No process, no folder of an attempt, no temporary file."""
        jobs = self.data / "jobs"
        self.stage.eventually(lambda: not strays(jobs), 30)
        self.stage.eventually(lambda: {path.name for path in jobs.iterdir()} <= {"home", "kept"}, 30)
        self.stage.eventually(lambda: not list(jobs.glob("kept/*")), 30)
        assert not list((self.data / "artifacts").glob("incoming/*"))


def strays(jobs: Path) -> list[int]:
    """Living processes that were started for the folder of a job."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or somebody else's
            mark = process.environ().get(MARK, "")
            if Path(mark.partition("@")[2]).parent == jobs and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def _is_redis(process: subprocess.Popen[bytes]) -> bool:
    return "redis" in str(process.args)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    with stage(folder) as made:
        yield House(made, folder)
