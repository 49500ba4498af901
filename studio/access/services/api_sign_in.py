"""Signing in to the API with a password: a signed token that says who one is for a working day.

It is the way of scripts written for Rasa Enterprise. Nothing is stored: the token ends by itself, and before that with
the person's sessions ("sign out everywhere", a new password) and when they are shut out. Another key signs what guests
and Rasa servers are given, and nothing of theirs is accepted here.
"""

import time

import jwt

from studio.access.models import User
from studio.crypto import keyed_digest
from studio.web.ratelimit import TooMany, Window

LIFE_SECONDS = 8 * 3600
ALGORITHM = "HS256"
AUDIENCE = "parley-api"
FAILURES_BY_ADDRESS = Window("api-sign-in-failures", most=60, seconds=60)


def token_for(person: User) -> str:
    """A token that acts as `person` with all their grants."""
    claims = {
        "sub": str(person.pk),
        "username": person.username,
        "aud": AUDIENCE,
        "epoch": person.session_epoch,
        "exp": int(time.time()) + LIFE_SECONDS,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM)


def looks_like_one(text: str) -> bool:
    """Three parts with dots between, as every JWT; an API token of ours has two."""
    return text.count(".") == 2


def person_of(text: str, address: str | None) -> User | None:
    """Whose token this is; None for one that lets nobody in. Raises TooMany after too many of these from `address`."""
    if seconds := FAILURES_BY_ADDRESS.wait(address):
        raise TooMany(f"Too many wrong tokens came from here. Try again in {seconds} seconds.", seconds)
    person = _person(text)
    if person is None:
        FAILURES_BY_ADDRESS.count(address)
    return person


def _person(text: str) -> User | None:
    required = ["sub", "exp", "aud", "epoch"]
    try:
        claims = jwt.decode(text, _key(), algorithms=[ALGORITHM], audience=AUDIENCE, options={"require": required})
    except jwt.InvalidTokenError:
        return None
    people = User.objects.filter(pk=int(claims["sub"]), session_epoch=claims["epoch"])
    return people.filter(is_active=True, kind=User.Kind.PERSON).first()


def _key() -> bytes:
    return keyed_digest("api-sign-in", "key")
