"""`python -m bench cli`: how long `parley --help` takes, against a Python that does nothing."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.rows import Row

SOURCE = Path(__file__).resolve().parent.parent / "cli" / "src"
TIMES = 15
AIM = 0.3  # seconds


def run() -> list[Row]:
    help_, nothing = [sys.executable, "-m", "parley_cli", "--help"], [sys.executable, "-c", "pass"]
    seconds(help_), seconds(nothing)  # what Python compiles once, and the disk
    pairs = [(seconds(help_), seconds(nothing)) for _ in range(TIMES)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [
        Row(
            "parley --help",
            f"{ours * 1000:.0f} ms",
            f"python -c pass {theirs * 1000:.0f} ms",
            f"{(ours - theirs) * 1000:+.0f} ms",
            f"{AIM * 1000:.0f} ms",
            ours <= AIM,
        )
    ]


def seconds(command: list[str]) -> float:
    """From the start of the process to its end."""
    begin = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begin
