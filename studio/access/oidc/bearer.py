"""Access tokens of the single sign-on, shown to the API by command lines. Checked before a word of them is believed.

Only those made for the public client of command lines, with Parley as audience: an ID token, a token of another
application, or one of the web's own client opens nothing.
"""

import hashlib

import jwt

from studio.access.models import Identity, User
from studio.access.oidc import person, provider
from studio.access.oidc.errors import ProviderAway, ProviderRefuses, ShutOut, SingleSignOnError
from studio.access.oidc.tokens import Claims, verify_access_token
from studio.access.services import single_sign_on
from studio.web.ratelimit import allow

_LONGER_THAN_A_TOKEN = 24 * 3600


def is_one(text: str) -> bool:
    """Whether the text is signed as the provider's tokens are, and not as ours."""
    try:
        return provider.is_configured() and jwt.get_unverified_header(text).get("alg") in provider.ALGORITHMS
    except jwt.PyJWTError:
        return False


def person_of(text: str) -> User | None:
    """Whose token this is; None for one that lets nobody in. Raises ProviderAway.

    The first time a token is shown, its person's name, groups and roles here become what the provider says.
    """
    try:
        claims = verify_access_token(text)
        identity = _known(claims) if not _is_new(text) else None
        return _active((identity or admit(claims, text)).user)
    except (ProviderAway, ProviderRefuses) as error:
        raise ProviderAway(error.message) from None
    except SingleSignOnError:
        return None


def admit(claims: Claims, text: str) -> Identity:
    """The identity of whoever a checked token belongs to, found or made. Raises a SingleSignOnError."""
    return single_sign_on.admit(claimed=person.describe(claims, text))


def _known(claims: Claims) -> Identity | None:
    known = Identity.objects.filter(issuer=claims["iss"], subject=claims["sub"])
    return known.select_related("user").first()


def _active(user: User) -> User:
    if not user.is_active or user.kind != User.Kind.PERSON:
        raise ShutOut("This account is shut out of Parley. Ask an administrator to let you in again.")
    return user


def _is_new(text: str) -> bool:
    return allow(f"bearer:{hashlib.sha256(text.encode()).hexdigest()}", 1, _LONGER_THAN_A_TOKEN)
