"""Whoever Keycloak has disabled or deleted is out here within seconds, with every session and every API token.

Only people with a session or a valid token are asked for, so a realm may hold a hundred thousand others. They are not
shut out here: enabled there again, they can sign in, and make new tokens.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef

from studio.access.models import ApiToken, BrowserSession, Identity
from studio.access.oidc import keycloak_people
from studio.access.oidc.errors import ProviderAway, ProviderRefuses
from studio.access.services import people, tokens

log = structlog.get_logger()

EVERY_SECONDS = 15
MOST_SECONDS = 10.0  # of one round: the schedule has other work too


@dataclass
class _State:
    """Of this process: whom it asked for last, and what it said last, so that nothing is said every few seconds."""

    after: int = 0
    said: str = ""


_state = _State()


def end_departed() -> None:
    """One round over everybody who could do something here now. Where the time is up, the next one goes on."""
    if not keycloak_people.can_be_asked():
        return
    try:
        _go_round(time.monotonic() + MOST_SECONDS)
    except (ProviderAway, ProviderRefuses) as error:
        _say(error.message)
    else:
        _say("")


def _go_round(until: float) -> None:
    while True:
        batch = _next(_state.after)
        if batch:
            _end(batch)
        is_last = len(batch) < keycloak_people.MOST
        _state.after = 0 if is_last else batch[-1].pk
        if is_last or time.monotonic() >= until:
            return


def _next(after: int) -> list[Identity]:
    has_session = Exists(BrowserSession.objects.filter(user=OuterRef("user")))
    has_token = Exists(ApiToken.objects.filter(tokens.live(), user=OuterRef("user")))
    there = Identity.objects.filter(has_session | has_token, issuer=settings.OIDC_ISSUER, pk__gt=after)
    return list(there.select_related("user").order_by("pk")[: keycloak_people.MOST])


def _end(batch: Sequence[Identity]) -> None:
    found = keycloak_people.departed([identity.subject for identity in batch])
    for identity in batch:
        if identity.subject in found.disabled:
            people.send_out(person=identity.user, reason=f"Disabled at {settings.OIDC_NAME}.")
        elif identity.subject in found.gone:
            people.send_out(person=identity.user, reason=f"Deleted at {settings.OIDC_NAME}.")


def _say(message: str) -> None:
    if message and message != _state.said:
        log.warning("who is disabled at the provider is not known", error=message)
    _state.said = message
