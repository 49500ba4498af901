"""`python -m bench clone`: from a fresh clone to a talking assistant, by step.

What is committed is cloned into a temporary folder and started by `make run` with an empty home. Packages come out of
uv's cache as far as they are in it; a machine that never had them downloads them, and the second run leaves that out.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import CHECKOUT
from bench.installation import INSTALLING, Installation, ended_well, production, started, temporary_folder
from bench.rows import Row

if TYPE_CHECKING:
    from models_app.models import TrainingJob

AIM = 90  # seconds
KEPT = ("PATH", "LANG", "PYTHON", "RASA_PYTHON", "PYENV_ROOT")
OF_INSTALLERS = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA")


class Watch:
    """Seconds between the moments of one run."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()
        self.rows: list[Row] = []

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.rows.append(Row(f"fresh clone: {step}", f"{now - self.last:.1f} s"))
        print(f"  {step} {now - self.last:.1f} s", flush=True)
        self.last = now

    def sum(self) -> Row:
        seconds = self.last - self.began
        compared, result = "packages as uv's cache has them", f"{seconds:.0f} s"
        return Row("fresh clone to first answer", f"{seconds:.1f} s", compared, result, f"{AIM} s", seconds <= AIM)


def run() -> list[Row]:
    os.environ.pop("PARLEY_RASA", None)  # its Rasa is its own
    with temporary_folder() as folder:
        watch = Watch()
        checkout = folder / "parley"
        subprocess.run(["git", "clone", "--quiet", f"file://{CHECKOUT}", str(checkout)], check=True)
        watch.lap("clone")
        with started(("make", "run"), folder, checkout=checkout, environment=fresh(folder)) as house:
            follow(house, watch)
    return [*watch.rows, watch.sum()]


def fresh(folder: Path) -> dict[str, str]:
    """The environment of somebody who has just got the machine, and its way to the packages."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.upper().startswith(OF_INSTALLERS)}
    home = folder / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "UV_CACHE_DIR": uv_cache()}


def uv_cache() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    return os.environ.get("UV_CACHE_DIR") or str(cache)


def follow(house: Installation, watch: Watch) -> None:
    def has_said(words: str) -> None:
        house.wait(lambda: words in house.said() or None, words, INSTALLING)

    has_said("Parley starts")
    watch.lap("environment")
    has_said("Preparing the application: done")
    watch.lap("database")
    has_said("Starting the web: done")
    watch.lap("web up")
    house.use()
    house.wait(rasa_is_ready, "Rasa", INSTALLING)
    watch.lap("Rasa runtime, more than the above")
    house.wait(trained, "the training")
    watch.lap("training")
    house.wait(lambda: production().promotions.exists() or None, "the promotion")
    watch.lap("promotion")
    house.wait(server_is_ready, "the server")
    watch.lap("server ready with its model")
    house.wait(answer, "an answer")
    watch.lap("first answer")


def rasa_is_ready() -> bool | None:
    from studio.rasa.models import RasaRuntime
    from studio.rasa.services import current_runtime

    runtime = current_runtime()
    if runtime.state == RasaRuntime.State.FAILED:
        raise RuntimeError(runtime.message)
    return runtime.state == RasaRuntime.State.READY or None


def trained() -> bool | None:
    job: TrainingJob | None = production().assistant.jobs.first()
    return ended_well(job) if job else None


def server_is_ready() -> bool | None:
    """It runs and has nothing to say: before it took its model, it says that it waits for one."""
    server = production().server
    return (server.state == "running" and not server.message) or None


def answer() -> bool | None:
    """Over the door by which Talk speaks."""
    from environments.services.address import server_of
    from studio.crypto import decrypt
    from studio.rasa.client import NoModel, RasaClient
    from studio.rasa.signing import chat_token

    environment = production()
    address = server_of(environment)
    token = chat_token(decrypt(environment.private_key_encrypted), "bench")
    try:
        return bool(RasaClient(address.url, address.token, timeout=60).send(token, "hello")) or None
    except NoModel:
        return None
