"""`python -m bench training_beside_chat`: a live server's answers while a training runs on the same machine.

A Rasa as the controller starts it for a managed production is asked over its REST channel, a few times a second as
people do: alone, while Parley trains the starter (at the lowest priority), and alone again.
"""

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil

from bench.chat import over_rest, rasa_server, timed
from bench.installation import PATIENCE, Installation, ended_well, installation
from bench.rows import Row
from bench.training import ask, train_process, trained_model

if TYPE_CHECKING:
    from models_app.models import Revision

ROUNDS = 2
ALONE, PAUSE, WARMING_UP = 100, 0.1, 20
Times = list[float]


def run() -> list[Row]:
    with installation() as house:
        model = trained_model(house)
        assert model.revision is not None
        with rasa_server(house, model) as address:
            say = over_rest(address)
            for _ in range(WARMING_UP):
                say()
            alone, beside = compare(house, model.revision, say)
    return [row("median", statistics.median, alone, beside), row("95th percentile", p95, alone, beside)]


def compare(house: Installation, revision: "Revision", say: Callable[[], None]) -> tuple[Times, Times]:
    """Alone before and after, so that a machine that grows busy is not taken for the training."""
    alone: Times = []
    beside: Times = []
    for _ in range(ROUNDS):
        alone += [spoken(say) for _ in range(ALONE // 2)]
        beside += while_training(house, revision, say)
        alone += [spoken(say) for _ in range(ALONE // 2)]
    return alone, beside


def while_training(house: Installation, revision: "Revision", say: Callable[[], None]) -> Times:
    job = ask(revision)
    process = house.wait(lambda: train_process(house), "rasa train to begin")
    found: Times = []
    until = time.monotonic() + PATIENCE
    while _runs(process) and time.monotonic() < until:
        found.append(spoken(say))
    house.wait(lambda: ended_well(job), "the model")
    print(f"  {len(found)} messages while it trained, 95 % within {p95(found) * 1e3:.0f} ms", flush=True)
    return found


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def spoken(say: Callable[[], None]) -> float:
    time.sleep(PAUSE)
    return timed(say)


def p95(times: Times) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18]


def row(what: str, of: Callable[[Times], float], alone: Times, beside: Times) -> Row:
    """No aim: how many cores are left decides it, and the serving process has all the priority there is."""
    ours, theirs = of(beside), of(alone)
    name = f"an answer while a training runs, {what}"
    compared = f"no training {theirs * 1e3:.1f} ms"
    return Row(name, f"{ours * 1e3:.1f} ms", compared, f"{(ours - theirs) * 1e3:+.1f} ms ({ours / theirs:.2f} x)")
