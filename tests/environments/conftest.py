"""Django's apps are imported inside the fixtures: pytest may read this file before they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from environments.models import Environment, Promotion
    from models_app.models import Assistant, Model
    from tests.environments.polling import Poller

    Promote = Callable[[Model | None], Promotion]


@pytest.fixture(autouse=True)
def fresh_redis(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    from environments.services import pointers, polls

    pointers.breaker.until = 0.0
    polls._written.clear()
    yield redis_client
    pointers.breaker.until = 0.0


@pytest.fixture
def assistant(db: None) -> Assistant:
    from tests.factories import make_assistant

    return make_assistant("default")


@pytest.fixture
def production(assistant: Assistant) -> Environment:
    from tests.factories import environment_of

    return environment_of(assistant)


@pytest.fixture
def promote_to_production(production: Environment, django_capture_on_commit_callbacks) -> Promote:
    """Promote and run what waits for the commit, which a test's own transaction never reaches."""
    from environments.services.promotion import promote

    def run(model: Model | None) -> Promotion:
        with django_capture_on_commit_callbacks(execute=True):
            return promote(actor=None, environment=production, model=model)

    return run


@pytest.fixture
def poller(client, production: Environment) -> Poller:
    """A replica called rasa-1."""
    from tests.environments.polling import Poller

    return Poller(client, production, "rasa-1")
