"""Imports are inside the fixtures: pytest loads this file before Django is set up when it is given this folder."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

if TYPE_CHECKING:
    from conversations.ingest.write import Record
    from environments.models import Environment
    from models_app.models import Assistant


@pytest.fixture
def assistant(db: None) -> "Assistant":
    from tests.factories import make_assistant

    return make_assistant()


@pytest.fixture
def environment(assistant: "Assistant") -> "Environment":
    from tests.factories import environment_of

    return environment_of(assistant)


@pytest.fixture
def records(environment: "Environment") -> "Callable[..., list[Record]]":
    """Records of the environment's own source, made of events or of bytes."""
    from conversations.ingest.write import Binding, Record
    from tests.conversations.events import raw

    binding = Binding(environment.assistant_id, environment.pk, environment.name, "test")

    def make(*events: dict | bytes) -> list[Record]:
        return [Record(one if isinstance(one, bytes) else raw(one)[0], binding) for one in events]

    return make


@pytest.fixture
def time_machine_later() -> "Callable[[float], time_machine.travel]":
    """`with time_machine_later(10):` is ten seconds from now, and the clock goes on."""

    def travel(seconds: float) -> time_machine.travel:
        return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)

    return travel
