"""`python -m bench training`: from a request for a training to its model, against bare `rasa train` of the same files.

Both at the lowest priority, because that is how Parley trains: other work of the machine then meets both alike.
Each time in a new folder, where Rasa finds nothing in its cache. Two trainings of the same files differ by more than
what is looked for when the machine is busy, so the time around Rasa's own process is taken as well.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.ground import CHECKOUT
from bench.installation import PATIENCE, Installation, default_assistant, ended_well, installation, runtime_folder
from bench.rows import Row

if TYPE_CHECKING:
    from models_app.models import Model, Revision, TrainingJob

ROUNDS = 2
AIM, AIM_SECONDS = "+1 s", 1.0
BESIDE_MB = 100.0


@dataclass(frozen=True, slots=True)
class Queued:
    """Seconds from the request to the model, those before and after Rasa's own process, and MB beside that."""

    whole: float
    around: float
    beside: float


def run() -> list[Row]:
    with installation() as house:
        revision = starter_revision()
        bare(house)  # brings Rasa from the disk into memory, for both
        pairs = [(bare(house), queued(house, revision)) for _ in range(ROUNDS)]
    theirs = statistics.median(bare for bare, _queued in pairs)
    ours = statistics.median(queued.whole for _bare, queued in pairs)
    more = statistics.median(queued.whole - bare for bare, queued in pairs)
    around = statistics.median(queued.around for _bare, queued in pairs)
    beside = max(queued.beside for _bare, queued in pairs)
    return [
        Row("training", f"{ours:.1f} s", f"bare rasa train {theirs:.1f} s", f"{more:+.1f} s", AIM, more <= AIM_SECONDS),
        Row("its part around rasa train", f"{around:.1f} s", "", f"{around:+.1f} s", AIM, around <= AIM_SECONDS),
        Row("memory beside rasa train", f"{beside:.0f} MB", "", "", f"{BESIDE_MB:.0f} MB", beside <= BESIDE_MB),
    ]


def starter_revision() -> "Revision":
    from models_app.data.project import read_folder
    from models_app.services.revisions import save_revision

    files = dict(read_folder(CHECKOUT / "starter").files)
    return save_revision(actor=None, assistant=default_assistant(), files=files, message="Bench", parent_number=None)


def ask(revision: "Revision") -> "TrainingJob":
    """Train it, also when it was trained before."""
    from models_app.services.same_training import same_trainings
    from models_app.services.training import request_training

    same = same_trainings(default_assistant(), revision, None)
    known = same[0].number if same else None
    return request_training(actor=None, assistant=default_assistant(), revision=revision, known=known)


def queued(house: Installation, revision: "Revision") -> Queued:
    began = time.monotonic()
    job = ask(revision)
    process = house.wait(lambda: train_process(house), "rasa train to begin")
    started = time.monotonic()
    time.sleep(5)
    beside = memory_beside(process)
    process.wait(PATIENCE)
    ended = time.monotonic()
    house.wait(lambda: ended_well(job), "the model")
    done = time.monotonic()
    found = Queued(done - began, (started - began) + (done - ended), beside)
    print(f"  through the queue {found.whole:.1f} s, of it around rasa train {found.around:.2f} s", flush=True)
    return found


def memory_beside(rasa: psutil.Process) -> float:
    """MB of the worker, its child that has the job, and the keeper of Rasa; what they share counts once (PSS)."""
    ours = rasa.parents()[:3]
    return float(sum(process.memory_full_info().pss for process in ours) / 1024**2)


def train_process(house: Installation) -> psutil.Process | None:
    """The Rasa that trains in a folder of this installation."""
    for process in psutil.process_iter(["cwd", "cmdline"]):
        place, command = process.info["cwd"] or "", process.info["cmdline"] or []
        if place.startswith(str(house.data)) and "train" in command and "-c" not in command:
            return process
    return None


def trained_model(house: Installation) -> "Model":
    """A first model for other benchmarks."""
    job = ask(starter_revision())
    house.wait(lambda: ended_well(job), "the training")
    assert job.model is not None
    return job.model


def bare(house: Installation) -> float:
    from django.conf import settings

    python = runtime_folder() / settings.RASA_VERSION / "bin" / "python"
    with tempfile.TemporaryDirectory(dir=house.folder) as name:
        folder = Path(name)
        shutil.copytree(CHECKOUT / "starter", folder, dirs_exist_ok=True)
        began = time.monotonic()
        rasa_train(python, folder)
        seconds = time.monotonic() - began
    print(f"  bare rasa train {seconds:.1f} s", flush=True)
    return seconds


def rasa_train(python: Path, folder: Path) -> None:
    files = ("--config", "config.yml", "--domain", "domain.yml", "--data", "data", "--out", "models")
    log = folder / "train.log"
    with log.open("wb") as output:
        done = subprocess.run(
            ["nice", "-n", "19", str(python), "-m", "rasa", "train", *files],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "RASA_TELEMETRY_ENABLED": "false"},
            stdout=output,
            stderr=output,
        )
    if done.returncode != 0:
        raise RuntimeError(f"rasa train failed:\n{log.read_text()[-2000:]}")
