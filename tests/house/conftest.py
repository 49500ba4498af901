"""The world of the permission matrix, made once for all tests of a file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from tests.house.world import World


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker, tmp_path_factory) -> "Iterator[World]":
    """Keys of environments take long to make, so each test gives back what it changes."""
    from tests.house.asking import sign_in  # this file is read before the settings are
    from tests.house.world import make_world

    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "ARTIFACTS_DIR", tmp_path_factory.mktemp("artifacts"))
        world = make_world()
        world.sessions.update({viewer: sign_in(person) for viewer, person in world.people.items()})
        yield world
        transaction.set_rollback(True)
