"""Signing in to the API with a password: a signed token that says who one is for a working day.

It is the way of scripts written for Rasa Enterprise. Nothing is stored: the token ends by itself, and before that with
the person's sessions ("sign out everywhere", a new password) and when they are shut out. Another key signs what guests
and Rasa servers are given, and nothing of theirs is accepted here.
"""

import time
from collections.abc import Callable
from typing import TypedDict

import jwt

from studio.access.models import User
from studio.crypto import keyed_digest
from studio.web.ratelimit import TooMany, Window

LIFE_SECONDS = 8 * 3600
REFRESH_SECONDS = 7 * 24 * 3600
ALGORITHM = "HS256"
AUDIENCE, REFRESH = "parley-api", "parley-refresh"
FAILURES_BY_ADDRESS = Window("api-sign-in-failures", most=60, seconds=60)


class Session(TypedDict):
    """What the token endpoint of an OpenID Connect provider answers; both times are seconds from now."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    token_type: str


def token_for(person: User) -> str:
    """A token that acts as `person` with all their grants."""
    return _sign(person, AUDIENCE, int(time.time()) + LIFE_SECONDS)


def session_for(person: User, *, until: int = 0) -> Session:
    """Such a token with one that refreshes it `until` an epoch second, a week from now unless said."""
    now = int(time.time())
    until = until or now + REFRESH_SECONDS
    ends = min(now + LIFE_SECONDS, until)
    return {
        "access_token": _sign(person, AUDIENCE, ends),
        "expires_in": ends - now,
        "refresh_token": _sign(person, REFRESH, until),
        "refresh_expires_in": until - now,
        "token_type": "Bearer",
    }


def _sign(person: User, audience: str, ends: int) -> str:
    claims = {
        "sub": str(person.pk),
        "username": person.username,
        "aud": audience,
        "epoch": person.session_epoch,
        "exp": ends,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM)


def looks_like_one(text: str) -> bool:
    """Three parts with dots between, as every JWT; an API token of ours has two."""
    return text.count(".") == 2


def let_in_by(find: Callable[[str], User | None], text: str, address: str | None) -> User | None:
    """What `find` says of a token; None for one that lets nobody in. Raises TooMany after too many of these from
    `address`: a right token is nobody's guess, and is not refused for what a neighbour shows."""
    person = find(text)
    if person is None and (seconds := FAILURES_BY_ADDRESS.count(address)):
        raise TooMany(f"Too many wrong tokens came from here. Try again in {seconds} seconds.", seconds)
    return person


def person_of(text: str) -> User | None:
    """Whose token this is, if it is one of ours."""
    return _person(text, AUDIENCE)[0]


def refreshed(text: str) -> Session | None:
    """New tokens for a refresh token; the new one ends when the old one would have."""
    person, ends = _person(text, REFRESH)
    return session_for(person, until=ends) if person else None


def _person(text: str, audience: str) -> tuple[User | None, int]:
    """Whose token it is, and when it ends."""
    required = ["sub", "exp", "aud", "epoch"]
    try:
        claims = jwt.decode(text, _key(), algorithms=[ALGORITHM], audience=audience, options={"require": required})
    except jwt.InvalidTokenError:
        return None, 0
    people = User.objects.filter(pk=int(claims["sub"]), session_epoch=claims["epoch"])
    return people.filter(is_active=True, kind=User.Kind.PERSON).first(), int(claims["exp"])


def _key() -> bytes:
    return keyed_digest("api-sign-in", "key")
