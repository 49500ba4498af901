"""From checked tokens to who came."""

from dataclasses import dataclass

from django.conf import settings

from studio.access.models import Identity
from studio.access.oidc import claims, tokens
from studio.access.oidc.claims import Claimed, Naming
from studio.access.oidc.tokens import Claims, Tokens


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came by single sign-on, with what, in which session of the provider's."""

    identity: Identity
    tokens: Tokens
    provider_session: str


def describe(checked: Claims, access_token: str) -> Claimed:
    """Only what the ID token leaves out is asked for: that is one request less at every sign-in and renewal."""
    naming = _naming()
    if not naming.are_in(checked):
        checked = {**tokens.userinfo(access_token, subject=checked["sub"]), **checked}
    return claims.read(checked, naming)


def _naming() -> Naming:
    return Naming(
        username=settings.OIDC_USERNAME_CLAIM,
        roles=settings.OIDC_ROLES_CLAIMS,
        groups=settings.OIDC_GROUPS_CLAIM,
        role_map=settings.OIDC_ROLE_MAP,
    )
