"""`python -m bench training`: from a request for a training to its model, against bare `rasa train` of the same files.

Both at the lowest priority, because that is how Parley trains: other work of the machine then meets both alike.
Each time in a new folder, where Rasa finds nothing in its cache.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import CHECKOUT
from bench.installation import Installation, default_assistant, ended_well, installation, runtime_folder
from bench.rows import Row

if TYPE_CHECKING:
    from models_app.models import Revision

ROUNDS = 2
AIM = 1.0  # seconds


def run() -> list[Row]:
    with installation() as house:
        revision = starter_revision()
        bare(house)  # brings Rasa from the disk into memory, for both
        pairs = [(bare(house), queued(house, revision)) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    more = statistics.median(ours - theirs for theirs, ours in pairs)
    return [
        Row(
            "training",
            f"{ours:.1f} s",
            f"bare rasa train {theirs:.1f} s",
            f"{more:+.1f} s",
            f"+{AIM:.0f} s",
            more <= AIM,
        )
    ]


def starter_revision() -> "Revision":
    from models_app.data.project import read_folder
    from models_app.services.revisions import save_revision

    files = dict(read_folder(CHECKOUT / "starter").files)
    return save_revision(actor=None, assistant=default_assistant(), files=files, message="Bench", parent_number=None)


def queued(house: Installation, revision: "Revision") -> float:
    from models_app.services.training import request_training

    began = time.monotonic()
    job = request_training(actor=None, assistant=default_assistant(), revision=revision)
    house.wait(lambda: ended_well(job), "the training")
    seconds = time.monotonic() - began
    print(f"  through the queue {seconds:.1f} s", flush=True)
    return seconds


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
