"""One Chromium for each module of tests. A page on which the browser complains of anything fails its test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.chromium import PROGRAM, launched
from tests.rasa_fixtures import rasa_processes, rasa_runtime, trained_model, worker_id_or_main

__all__ = ["rasa_processes", "rasa_runtime", "trained_model", "worker_id_or_main"]

expect.set_options(timeout=15_000)  # of milliseconds: a busy machine takes more than the usual five seconds
DESKTOP = {"width": 1280, "height": 800}

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("there is no Chromium on this machine")
    with launched() as browser:
        yield browser


@contextmanager
def watched(chromium: Browser, **options: object) -> Iterator[BrowserContext]:
    """A context of its own, as another person's browser; it closes without asking about unsaved changes."""
    complaints: list[str] = []
    context = chromium.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
    yield context
    context.close()
    assert complaints == []
