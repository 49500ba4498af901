"""One of everything, for tests that ask every address."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from tests.house.world import World


@pytest.fixture(scope="module")
def everything(django_db_setup: None, django_db_blocker, tmp_path_factory) -> "Iterator[World]":
    """Made once for a module: keys of environments take long to make. Each test gives back what it changes."""
    from tests.house.world import make_world  # Django is not set up when pytest reads this file

    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "ARTIFACTS_DIR", tmp_path_factory.mktemp("artifacts"))
        yield make_world()
        transaction.set_rollback(True)
