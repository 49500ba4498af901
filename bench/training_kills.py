"""`python -m bench.training_kills [--jobs 50] [--real]`: trainings on two workers, while something is killed again and
again: a worker, its child, the keeper of a Rasa, or Rasa itself. At the end none may be lost, doubled or stuck, and
nothing may run or lie about.

No part of `make bench`: it takes its minutes, and what it finds is yes or no. A program stands in for `rasa train` and
takes two seconds; with --real it is Rasa's, with the starter's files.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.ground import forget_this_installation
from bench.soak import prepare_django

if TYPE_CHECKING:
    import subprocess

    from tests.stack.training_house import House

WORKERS = 2
ATTEMPTS = 10  # a training may be killed more than once: 2, the usual number, would give some up, as it should
EVERY = (4.0, 12.0)  # seconds between kills
QUIET = 60.0  # seconds after the last kill in which everything has to come to its end
TAKES = "import time; time.sleep(2)"
KINDS = ("worker", "child of the worker", "keeper", "Rasa")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.training_kills")
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--real", action="store_true", help="train with the real Rasa")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    forget_this_installation()
    prepare_django()
    with tempfile.TemporaryDirectory(prefix="parley-kills-") as name, a_house(Path(name), options.real) as house:
        return kill_and_count(house, options)


@contextmanager
def a_house(folder: Path, real: bool) -> Iterator["House"]:
    from bench.installation import runtime_folder
    from tests.stack.training_house import house

    folder.chmod(0o755)
    with house(folder) as made:
        if real:
            made.stage.environment["PARLEY_RASA"] = str(runtime_folder())
        yield made


def kill_and_count(house: "House", options: argparse.Namespace) -> int:
    house.schedule()
    workers = [house.worker() for _ in range(WORKERS)]
    jobs = house.ask(options.jobs, what=TAKES, real=options.real)
    house.stage.write("UPDATE models_app_trainingjob SET max_attempts = %s", ATTEMPTS)
    chance, killed = random.Random(options.seed), Counter[str]()
    began = time.monotonic()
    while states(house) - {"done", "failed", "lost"}:
        time.sleep(chance.uniform(*EVERY))
        if remaining(house) > WORKERS:  # the last ones are left in peace: they have to come to their end
            killed[kill_one(workers, chance.choice(KINDS))] += 1
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET + 60 * options.real:
            break
        workers = [worker if worker.poll() is None else house.worker() for worker in workers]
        print(
            f"  {time.monotonic() - began:4.0f} s, {remaining(house)} to go, killed {sum(killed.values())}", flush=True
        )
    return told(house, jobs, killed, time.monotonic() - began)


def states(house: "House") -> set[str]:
    row = house.stage.one("SELECT array_agg(DISTINCT state) FROM models_app_trainingjob")
    return set(row)


def remaining(house: "House") -> int:
    query = (
        "SELECT count(*) FROM models_app_trainingjob WHERE state IN ('queued', 'preparing', 'training', 'packaging')"
    )
    return int(house.stage.one(query))


def kill_one(workers: "list[subprocess.Popen[bytes]]", kind: str) -> str:
    """SIGKILL to one that is there now; what it was."""
    found: dict[str, list[int]] = {name: [] for name in KINDS}
    for worker in workers:
        if worker.poll() is None:
            for depth, pid in below(worker.pid):
                found[KINDS[min(depth, 3)]].append(pid)
    pids = found[kind] or found["worker"]
    if not pids:
        return "nothing"
    os.kill(random.choice(pids), signal.SIGKILL)
    return kind if found[kind] else "worker"


def below(pid: int, depth: int = 0) -> Iterator[tuple[int, int]]:
    yield depth, pid
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return
    for child in children:
        yield from below(child.pid, depth + 1)


def told(house: "House", jobs: list[int], killed: Counter[str], seconds: float) -> int:
    rows = [house.job(job) for job in jobs]
    ended = Counter(row["state"] for row in rows)
    models = int(house.stage.one("SELECT count(*) FROM models_app_model WHERE deleted_at IS NULL"))
    distinct = len({row["model_id"] for row in rows if row["model_id"]})
    lost = len(jobs) - ended["done"] - sum(ended[state] for state in ("queued", "preparing", "training", "packaging"))
    stuck = len(jobs) - ended["done"] - lost
    doubled = models - distinct + ended["done"] - distinct
    attempts = sum(row["attempt"] for row in rows)
    house.leaves_nothing()
    print(f"\n{len(jobs)} trainings on {WORKERS} workers in {seconds:.0f} s, {attempts} attempts")
    print(f"killed: {', '.join(f'{count} × {kind}' for kind, count in sorted(killed.items()))}")
    print(f"lost {lost}, doubled {doubled}, stuck {stuck}; no process, folder or temporary file is left")
    return 0 if (lost, doubled, stuck) == (0, 0, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
