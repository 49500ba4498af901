"""`python -m bench cli`: how long `parley --help` takes, against a Python that does nothing; and `parley upload` of a
model of 1 GB, hashed while it is sent, against curl to nginx with the same file."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.api_upload import SIZE, admin_token, nginx, speeds
from bench.download import FLAT, nginx_program
from bench.ground import web, write_archive
from bench.rows import NotRun, Row

SOURCE = Path(__file__).resolve().parent.parent / "cli" / "src"
TIMES = 15
AIM = 0.3  # seconds
UPLOADS, PEAK = 3, 100
PARLEY = [sys.executable, "-m", "parley_cli"]
# The same, which says its peak memory at its end: what the system counts of a child begins with its parent's.
TELLING = "import atexit, sys; atexit.register(lambda: sys.stderr.write(open('/proc/self/status').read())); "
PARLEY_TELLING = [sys.executable, "-c", f"{TELLING}from parley_cli.main import main; main()"]


def run() -> list[Row]:
    return [_help(), *_upload()]


def _help() -> Row:
    help_, nothing = [*PARLEY, "--help"], [sys.executable, "-c", "pass"]
    run_once(help_), run_once(nothing)  # what Python compiles once, and the disk
    pairs = [(run_once(help_)[0], run_once(nothing)[0]) for _ in range(TIMES)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    milliseconds = (
        f"{ours * 1000:.0f} ms",
        f"python -c pass {theirs * 1000:.0f} ms",
        f"{(ours - theirs) * 1000:+.0f} ms",
    )
    return Row("parley --help", *milliseconds, f"{AIM * 1000:.0f} ms", ours <= AIM)


def _upload() -> list[Row]:
    nginx_program()
    with tempfile.TemporaryDirectory() as folder, web(1_000_000) as server:
        file = write_archive(Path(folder) / "large.tar.gz", SIZE)
        settings = {"PARLEY_URL": f"http://127.0.0.1:{server.port}", "PARLEY_TOKEN": admin_token()}
        with nginx() as copy:
            before = server.peak_megabytes()
            rounds = [
                (*copy(file), *run_once([*PARLEY_TELLING, "upload", str(file), "--name", f"large-{number}"], settings))
                for number in range(UPLOADS)
            ]
            grown = server.peak_megabytes() - before
    *seconds, peak = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [
        *speeds("parley upload of 1 GB", *seconds),
        Row("the web's memory meanwhile", f"{grown:+.0f} MB", aim="flat", holds=grown < FLAT),
        Row("the command's peak memory", f"{peak:.0f} MB", aim=f"{PEAK} MB", holds=peak < PEAK),
    ]


def run_once(command: list[str], settings: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds from the start of the process to its end, and its peak memory in MB where it tells. Raises NotRun."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **(settings or {})}
    begin = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    passed = time.perf_counter() - begin
    if ended.returncode:
        raise NotRun(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[:300]}")
    found = re.search(r"VmHWM:\s+(\d+) kB", ended.stderr)
    return passed, int(found[1]) / 1024 if found else 0.0
