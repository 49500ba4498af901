from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.access.small_provider import SECRET, SmallProvider, new_key, small_provider


@pytest.fixture
def time_machine_travel() -> Iterator[Callable[[float], None]]:
    """Moves the clock ahead by seconds until the test ends."""
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield lambda seconds: traveller.shift(timedelta(seconds=seconds))


@pytest.fixture(scope="session")
def provider_key() -> object:
    return new_key()


@pytest.fixture
def provider(provider_key, settings, redis_client, db) -> Iterator[SmallProvider]:
    """A small provider of single sign-on, and a Parley that is set to use it."""
    from studio.access.oidc import keycloak_people  # this module is read before Django is ready
    from studio.access.oidc import provider as known
    from studio.access.services.roles import ensure_default_roles

    with small_provider(provider_key) as small:
        settings.PUBLIC_URL = "http://testserver"
        settings.OIDC_ISSUER = small.issuer
        settings.OIDC_CLIENT_SECRET = SECRET
        known.forget()
        keycloak_people.forget()
        ensure_default_roles()
        yield small
    known.forget()
