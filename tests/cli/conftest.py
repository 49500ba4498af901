"""Django's apps are imported inside the fixtures: pytest may read this file before they are ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rasa_fixtures import rasa_runtime

if TYPE_CHECKING:
    from tests.cli.fake import FakeParley
    from tests.cli.runner import Parley
    from tests.cli.worlds import World

__all__ = ["rasa_runtime"]


@pytest.fixture
def fake() -> Iterator[FakeParley]:
    from tests.cli.fake import FakeParley

    server = FakeParley()
    yield server
    server.close()


@pytest.fixture
def real(live_server, redis_client, long_connected) -> World:
    from environments.services import pointers, polls
    from tests.cli.worlds import RealWorld

    pointers.breaker.until = 0.0
    polls._written.clear()
    return RealWorld(str(live_server))


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.django_db(transaction=True))])
def world(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def parley(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parley:
    """The command in both worlds."""
    return _parley(world, tmp_path, monkeypatch)


@pytest.fixture
def with_fake(fake: FakeParley, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parley:
    """The command in the fake alone."""
    return _parley(fake, tmp_path, monkeypatch)


def _parley(world: World, folder: Path, patch: pytest.MonkeyPatch) -> Parley:
    from parley_cli.commands import environments
    from tests.cli.runner import Parley

    patch.setattr(environments, "LONG_POLL", 0)
    return Parley(world, folder, patch)
