"""Each benchmark in a process of its own, because settings are read once by each process."""

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bench.ground import forget_this_installation
from bench.rows import Row


def run(name: str) -> list[Row]:
    """Raises NotRun, and what else went wrong in there."""
    return alone(_run, name)


def alone(function: Callable[..., list[Row]], *arguments: Any) -> list[Row]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _run(name: str) -> list[Row]:
    forget_this_installation()
    rows: list[Row] = importlib.import_module(f"bench.{name}").run()
    return rows
