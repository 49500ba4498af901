"""Who of these people Keycloak still lets in, asked of its administration as the client's own service account.

That account needs the role `view-users` of `realm-management`; the realm of deploy/keycloak gives it.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
from django.conf import settings

from studio.access.oidc import provider, tokens
from studio.access.oidc.errors import ProviderAway, ProviderRefuses, SessionOver
from studio.access.oidc.keycloak import administration
from studio.web import outgoing

MOST = 50  # ids in one request: its first line must stay below the 4 kB that Keycloak reads
_LIFE_NOT_SAID = 60
_EARLIER = 30.0  # a pass is not used to its last second


@dataclass(frozen=True, slots=True)
class Departed:
    """Subjects that Keycloak has disabled, and those that it no longer knows."""

    disabled: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Pass:
    """The service account's access token, its subject, whose it is, and until when we use it (monotonic seconds)."""

    text: str
    subject: str
    owner: tuple[str, str]
    until: float


_held: list[_Pass] = []


def can_be_asked() -> bool:
    """Whether the provider is a Keycloak, and we have a secret to ask it with."""
    return bool(administration(settings.OIDC_ISSUER) and settings.OIDC_CLIENT_SECRET)


def forget() -> None:
    _held.clear()


def departed(subjects: Collection[str]) -> Departed:
    """Who of at most MOST people is disabled or deleted. Raises ProviderAway, and ProviderRefuses without the right.

    Subjects are Keycloak's user ids, unless a mapper of the client makes others of them: then nobody is found. So an
    unknown one counts as deleted only when Keycloak knows our own account by the subject that it has in our token.
    """
    ourselves = _pass().subject
    known = _states({*subjects, ourselves} - {""})
    disabled = frozenset(one for one in subjects if known.get(one) is False)
    gone = frozenset(one for one in subjects if one not in known) if ourselves in known else frozenset()
    return Departed(disabled, gone)


def _states(subjects: Collection[str]) -> dict[str, bool]:
    """Whether each of those that Keycloak knows is enabled. Usually one request, by its search for ids.

    Who is missing there is asked for alone: an older Keycloak searches for one id only, and an id may hold a space.
    """
    ids = quote(" ".join(subjects), safe="")
    answer = _ask(f"/users?search=id%3A{ids}&briefRepresentation=true&max={MOST + 1}")
    found = _states_in(_read(answer) if answer.status == 200 else None, answer.status)
    for subject in {*subjects} - found.keys():
        found |= _state_of(subject)
    return found


def _state_of(subject: str) -> dict[str, bool]:
    answer = _ask(f"/users/{quote(subject, safe='')}")
    # A proxy that hides the administration also answers 404, but without Keycloak's words.
    if answer.status == 404 and "user not found" in answer.text.lower():
        return {}
    return _states_in([_read(answer)] if answer.status == 200 else None, answer.status)


def _states_in(people: Any, status: int) -> dict[str, bool]:
    if not isinstance(people, list) or not all(isinstance(one, dict) and one.get("id") for one in people):
        raise _refused(f"Its administration answered {status}.")
    return {str(one["id"]): one.get("enabled") is not False for one in people}


def _read(answer: outgoing.Answer) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _ask(path: str) -> outgoing.Answer:
    """`path` begins after the realm, in Keycloak's administration."""
    url = f"{administration(settings.OIDC_ISSUER)}{path}"
    headers = {"Authorization": f"Bearer {_pass().text}", "Accept": "application/json"}
    answer = provider.call("GET", url, headers=headers)
    if answer.status == 401:  # signed with a key that is gone, or Keycloak began anew: the next round asks again
        forget()
        raise ProviderAway(f"{settings.OIDC_NAME} no longer accepts our access token.")
    return answer


def _pass() -> _Pass:
    owner = settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID
    if not _held or _held[0].owner != owner or _held[0].until < time.monotonic():
        _held[:] = [_fetch(owner)]
    return _held[0]


def _fetch(owner: tuple[str, str]) -> _Pass:
    now = time.monotonic()
    try:
        found = tokens.for_ourselves()
    except (ProviderRefuses, SessionOver) as error:
        raise _refused(error.message) from None
    return _Pass(
        found.access_token, _subject(found.access_token), owner, now + (found.expires_in or _LIFE_NOT_SAID) - _EARLIER
    )


def _subject(access_token: str) -> str:
    """Read without a check: it came from the token endpoint itself, and says only by what id to look for ourselves."""
    try:
        return str(jwt.decode(access_token, options={"verify_signature": False}).get("sub") or "")
    except jwt.PyJWTError:
        return ""


def _refused(why: str) -> ProviderRefuses:
    return ProviderRefuses(
        f"{settings.OIDC_NAME} does not tell “{settings.OIDC_CLIENT_ID}” who is disabled there. {why} "
        "The client needs a service account with the role view-users of realm-management: docs/single-sign-on.md.",
        code="may-not-view-users",
    )
