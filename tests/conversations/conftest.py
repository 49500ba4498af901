"""Imports are inside the fixtures: pytest loads this file before Django is set up when it is given this folder."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
import time_machine

if TYPE_CHECKING:
    from django.test import Client

    from conversations.ingest.write import Stored
    from environments.models import Environment
    from models_app.models import Assistant
    from studio.access.models import User
    from tests.conversations.fake_channel import Channel


@pytest.fixture
def assistant(db: None) -> "Assistant":
    from tests.factories import make_assistant

    return make_assistant()


@pytest.fixture
def environment(assistant: "Assistant") -> "Environment":
    from tests.factories import environment_of

    return environment_of(assistant)


@pytest.fixture
def stored(environment: "Environment") -> "Callable[..., Stored]":
    """Stores events, or records as they come, of the environment."""
    from tests.factories import store_events

    return partial(store_events, environment)


@pytest.fixture
def time_machine_later() -> "Callable[[float], time_machine.travel]":
    """`with time_machine_later(10):` is ten seconds from now, and the clock goes on."""

    def travel(seconds: float) -> time_machine.travel:
        return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)

    return travel


@pytest.fixture
def channel(environment: "Environment", redis_client: object) -> "Iterator[Channel]":
    """A fake Rasa server of the environment. Limits and messages said before are counted in Redis, which is empty."""
    from tests.conversations.fake_channel import Channel
    from tests.rasa.servers import SmallServer

    server = SmallServer()
    channel = Channel(server)
    channel.connect(environment)
    yield channel
    server.close()


@pytest.fixture
def person(client: "Client") -> "User":
    """An annotator, signed in."""
    from tests.factories import make_person

    person = make_person("annotator")
    client.force_login(person)
    return person


@pytest.fixture
def base(assistant: "Assistant", person: "User") -> str:
    """Where they talk."""
    return f"/a/{assistant.slug}/talk/production/"
