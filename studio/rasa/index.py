"""What the package index has of Rasa, asked through uv, so that a mirror and its credentials are those of uv."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from studio.rasa.problems import NoSuchVersion, RuntimeProblem, problem_of_uv
from studio.rasa.runtime import find_uv

SECONDS = 15.0  # somebody waits for the answer
_FOUND = re.compile(r"^rasa==(\S+)$", re.MULTILINE)


def check_exists(version: str) -> None:
    """Raise NoSuchVersion when the index surely has none; one that does not answer leaves it to the installation."""
    with ThreadPoolExecutor(2) as pool:
        asked, newest = pool.submit(_ask, f"rasa=={version}"), pool.submit(_ask, "rasa>=3,<4")
    found, output = asked.result()
    if found is None and isinstance(problem_of_uv(output, making_environment=False), NoSuchVersion):
        raise NoSuchVersion(version, newest.result()[0] or "")


def _ask(requirement: str) -> tuple[str | None, str]:
    """The version that the index has for `requirement`, and what uv said. It downloads nothing but lists."""
    try:
        command = [find_uv(), "pip", "compile", "--no-deps", "--no-header", "--no-annotate", "--no-build"]
        done = subprocess.run(
            [*command, "--no-python-downloads", "--python", sys.executable, "--python-version", "3.10", "-"],
            input=requirement,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired, RuntimeProblem):
        return None, ""
    found = _FOUND.search(done.stdout)
    return (found[1] if found else None), done.stderr
