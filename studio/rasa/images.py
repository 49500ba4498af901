"""Which Rasa a container image has: it is asked by running `rasa --version` in it."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from studio.rasa.problems import ImageFailed
from studio.rasa.process import Processes, Spec, StartFailed
from studio.rasa.runtime import Own, Runtime

SECONDS = 1200.0  # once its container is made; what it waits for that has a limit of its own
LOOK_SECONDS = 0.5
_LINES = {
    "version": re.compile(r"^Rasa Version\s*:\s*(\S+)", re.MULTILINE),
    "minimum": re.compile(r"^Minimum Compatible Version\s*:\s*(\S+)", re.MULTILINE),
    "python": re.compile(r"^Python Version\s*:\s*(\S+)", re.MULTILINE),
}


def ask_image(own: Own, processes: Processes, below: Path) -> Runtime:
    """What the Rasa of the image says of itself. Raises ImageFailed."""
    folder = below / "images"
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{own.name}-", dir=folder))
    try:
        spec = Spec(("--version",), place, place / "log", environment=own.environment(), image=own.image)
        text = _output(processes, spec)
    except StartFailed as error:
        raise ImageFailed(own.name, own.image, error.message) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    found = {name: match[1] for name, pattern in _LINES.items() if (match := pattern.search(text))}
    if "version" not in found or "minimum" not in found:
        raise ImageFailed(own.name, own.image, text)
    return Runtime(found["version"], own.python.parent, found["minimum"], found.get("python", ""), own)


def _output(processes: Processes, spec: Spec, sleep: Callable[[float], None] = time.sleep) -> str:
    handle = processes.start(spec)
    until = time.monotonic() + SECONDS
    try:
        while (status := processes.poll(handle)).running and time.monotonic() < until:
            if status.is_waiting:
                until = time.monotonic() + SECONDS
            sleep(LOOK_SECONDS)
    finally:
        processes.stop(handle, grace=0)
    text = processes.read_log(handle).text
    return text if status.code == 0 else f"{text}\n{status.explain()}"
