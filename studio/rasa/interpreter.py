"""Find a Python that Rasa can run on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from studio.rasa.problems import WrongInterpreter

# Modules that a Python built without the right headers lacks, and that Rasa cannot do without.
_PROBE = "import sys, ssl, sqlite3, ctypes, zlib, bz2; print('%d.%d' % sys.version_info[:2])"
SUPPORTED = ("3.8", "3.9", "3.10")


def find_interpreter(named: str | None) -> str | None:
    """Path of a Python for Rasa: `named` (RASA_PYTHON) or a Python 3.10 of this machine; None when there is none.

    A `python3.10` on PATH counts only if it runs: pyenv's shim there exits with 127 unless a version is chosen.
    Raises WrongInterpreter when `named` is given and cannot serve: a wish that is not met must not be passed over.
    """
    if named is not None:
        path = shutil.which(named)
        version = version_of(path) if path else None
        if path is None or version not in SUPPORTED:
            raise WrongInterpreter(named, version)
        return path
    return next((path for path in _candidates() if version_of(path) == "3.10"), None)


def version_of(path: str) -> str | None:
    """Version of the Python at `path` as "3.10", or None when it does not run or lacks modules that Rasa needs."""
    try:
        probe = subprocess.run([path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return probe.stdout.strip() if probe.returncode == 0 else None


def _candidates() -> Iterator[str]:
    on_path = shutil.which("python3.10")
    if on_path:
        yield on_path
    roots = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]  # noqa: PTH111  Path.expanduser raises without HOME
    for root in roots:
        if root:
            yield from (str(path) for path in sorted(Path(root, "versions").glob("3.10*/bin/python3.10"), reverse=True))
