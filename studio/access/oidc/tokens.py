"""Tokens of the provider: fetched with a code or a refresh token, and checked before a word of them is believed."""

import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
from django.conf import settings

from studio.access.oidc import provider
from studio.access.oidc.errors import ProviderRefuses, SessionOver, TokenRefused

Claims = dict[str, Any]

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_REFUSALS: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (jwt.ExpiredSignatureError, "expired-token", "This sign-in has expired."),
    (jwt.ImmatureSignatureError, "early-token", "The provider's clock and ours differ too much."),
    (jwt.InvalidAudienceError, "wrong-audience", "This sign-in was made for another application."),
    (jwt.InvalidIssuerError, "wrong-issuer", "This sign-in comes from another provider."),
    (jwt.MissingRequiredClaimError, "incomplete-token", "The provider left out what a sign-in must say."),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave. `expires_in` and `refresh_expires_in` are seconds from now; None: not said."""

    id_token: str
    access_token: str
    refresh_token: str
    expires_in: int | None = None
    refresh_expires_in: int | None = None


def exchange(*, code: str, code_verifier: str, redirect_uri: str) -> Tokens:
    """The tokens that an authorization code stands for."""
    return _fetch(
        {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
    )


def refresh(refresh_token: str) -> Tokens:
    """New tokens of the same session; SessionOver when the provider ended it. An old refresh token may still hold."""
    found = _fetch({"grant_type": "refresh_token", "refresh_token": refresh_token})
    kept = found.refresh_token or refresh_token
    return Tokens(found.id_token, found.access_token, kept, found.expires_in, found.refresh_expires_in)


def for_ourselves() -> Tokens:
    """Those of the client's own service account; a provider may know no such thing."""
    return _fetch({"grant_type": "client_credentials"})


def _fetch(form: dict[str, str]) -> Tokens:
    there = provider.current()
    headers = {"Accept": "application/json"}
    if not settings.OIDC_CLIENT_SECRET or there.posts_secret:
        form |= {"client_id": settings.OIDC_CLIENT_ID}
    if settings.OIDC_CLIENT_SECRET and there.posts_secret:
        form |= {"client_secret": settings.OIDC_CLIENT_SECRET}
    elif settings.OIDC_CLIENT_SECRET:
        headers["Authorization"] = _basic(settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)
    answer = provider.call("POST", there.token_endpoint, form=form, headers=headers)
    found = provider.json_of(answer, there.token_endpoint)
    if answer.status != 200:
        raise _refusal(str(found.get("error", "")))
    return Tokens(
        id_token=str(found.get("id_token") or ""),
        access_token=str(found.get("access_token") or ""),
        refresh_token=str(found.get("refresh_token") or ""),
        expires_in=_seconds(found.get("expires_in")),
        refresh_expires_in=_seconds(found.get("refresh_expires_in")),
    )


def _basic(name: str, secret: str) -> str:
    """RFC 6749, 2.3.1: both are form-encoded before they are joined."""
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _refusal(error: str) -> ProviderRefuses | SessionOver:
    if error == "invalid_grant":
        return SessionOver("The provider has ended this session, or it was used already.")
    if error in {"invalid_client", "unauthorized_client"}:
        return ProviderRefuses(
            f"{settings.OIDC_NAME} does not accept the client “{settings.OIDC_CLIENT_ID}” or its secret. "
            "Whoever runs Parley should compare PARLEY_OIDC_CLIENT_ID and PARLEY_OIDC_CLIENT_SECRET with it.",
            code="wrong-client-secret",
        )
    return ProviderRefuses(f"{settings.OIDC_NAME} refused to finish the sign-in ({error or 'without a reason'}).")


def _seconds(value: object) -> int | None:
    """Zero means "never" where a provider writes it (Keycloak's offline tokens)."""
    try:
        return int(str(value)) or None
    except ValueError:
        return None


# --- Checks -------------------------------------------------------------------------------------------------------


def verify_id_token(token: str, *, nonce: str | None = None) -> Claims:
    """The claims of an ID token that the provider made for us, now, and for the sign-in with this `nonce`.

    A renewed one need not carry a nonce again; without `nonce` none is asked for.
    """
    claims = _verify(token, require=("exp", "iat", "sub"))
    _check_party(claims)
    if nonce is not None and not secrets.compare_digest(str(claims.get("nonce", "")), nonce):
        raise TokenRefused("This answer belongs to another sign-in.", code="wrong-nonce")
    return claims


def verify_access_token(token: str) -> Claims:
    """The claims of an access token made for command lines: their client got it, and Parley is its audience."""
    claims = _verify(token, require=("exp", "iat", "sub"))
    if str(claims.get("typ", "Bearer")).lower() != "bearer" or "at_hash" in claims:  # OpenID Connect Core, 3.1.3.6
        raise TokenRefused("This is not an access token.", code="no-access-token")
    if (claims.get("azp") or claims.get("client_id")) != settings.OIDC_CLI_CLIENT_ID:
        raise TokenRefused("This token was made for another application.", code="wrong-party")
    return claims


def verify_logout_token(token: str) -> Claims:
    """The claims of a back-channel logout token (OpenID Connect Back-Channel Logout 1.0, 2.6)."""
    claims = _verify(token, require=("iat", "jti"))
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT_EVENT), Mapping):
        raise TokenRefused("This is not a logout token.", code="no-logout-token")
    if "nonce" in claims or not (claims.get("sub") or claims.get("sid")):
        raise TokenRefused("This is not a logout token.", code="no-logout-token")
    if claims["iat"] < time.time() - settings.OIDC_SKEW - 300:  # some providers write no `exp`
        raise TokenRefused("This logout token is old.", code="expired-token")
    return claims


def _verify(token: str, *, require: tuple[str, ...]) -> Claims:
    """The claims, once signature, issuer, audience and times are right."""
    try:
        key = provider.signing_key(jwt.get_unverified_header(token))
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=list(provider.ALGORITHMS),
            audience=settings.OIDC_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=settings.OIDC_SKEW,
            options={"require": ["iss", "aud", *require]},
        )
    except jwt.PyJWTError as error:
        raise _explain(error) from None
    return claims


def _explain(error: jwt.PyJWTError) -> TokenRefused:
    for kind, code, message in _REFUSALS:
        if isinstance(error, kind):
            return TokenRefused(message, code=code)
    return TokenRefused("This sign-in was not made by the provider.", code="forged-token")


def _check_party(claims: Claims) -> None:
    """`azp` names the application a token was made for; with several audiences nothing else tells."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp")
    if (several or party is not None) and party != settings.OIDC_CLIENT_ID:
        raise TokenRefused("This sign-in was made for another application.", code="wrong-party")


def userinfo(access_token: str, *, subject: str) -> Claims:
    """What the provider says of the person besides the ID token; nothing where it has no such endpoint."""
    url = provider.current().userinfo_endpoint
    if not url or not access_token:
        return {}
    found = provider.ask_json(url, headers={"Authorization": f"Bearer {access_token}"})
    if found.get("sub") != subject:
        raise TokenRefused("The provider described another person.", code="wrong-subject")
    return found
