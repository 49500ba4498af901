"""Keycloak's addresses under ours, for command lines that know no other: `/auth/realms/rasa-studio/…`.

The official `rasa studio` command has the name of the realm in it. What it asks is answered by whatever provider and
public client are set up, so that the realm keeps its own name and a token still says whom it is for. Without single
sign-on Parley answers itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from studio.access.models import User
from studio.access.oidc import bearer, provider, tokens
from studio.access.oidc.errors import ProviderRefuses, SingleSignOnError, TokenRefused

REALM = "/auth/realms/rasa-studio"
TOKEN = f"{REALM}/protocol/openid-connect/token"
DEVICE = f"{REALM}/protocol/openid-connect/auth/device"

PASSWORD, REFRESH = "password", "refresh_token"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
# What of a form goes on to the provider, by kind of grant; the client is always ours.
_FIELDS = {
    PASSWORD: ("username", "password", "totp", "scope"),
    REFRESH: ("refresh_token", "scope"),
    DEVICE_CODE: ("device_code",),
}


def address(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


def offer() -> dict[str, object] | None:
    """How a command line signs in by the single sign-on; None without one."""
    if not provider.is_configured():
        return None
    return {
        "name": settings.OIDC_NAME,
        "issuer": settings.OIDC_ISSUER,
        "client_id": settings.OIDC_CLI_CLIENT_ID,
        "scope": settings.OIDC_SCOPES,
        "token_endpoint": address(TOKEN),
        "device_endpoint": address(DEVICE) if _has_devices() else None,
    }


def _has_devices() -> bool:
    """While the provider is away nobody knows; whoever asks then gets its answer at the address itself."""
    try:
        return bool(provider.current().device_authorization_endpoint)
    except SingleSignOnError:
        return False


@dataclass(frozen=True, slots=True)
class Given:
    """What the provider answered, and for tokens whose they are: `person` is set whenever `status` is 200."""

    status: int
    body: dict[str, Any]
    person: User | None = None


def ask_for_tokens(form: Mapping[str, str]) -> Given:
    """Tokens from the provider for one of its grants. Raises a SingleSignOnError.

    Tokens that Parley would not accept are not handed on.
    """
    kind = form.get("grant_type", "")
    if kind not in _FIELDS:
        return Given(400, {"error": "unsupported_grant_type", "error_description": "There is no sign-in of this kind."})
    there = provider.current()
    asked = {name: form[name] for name in _FIELDS[kind] if name in form}
    found = _ask(there.token_endpoint, {"grant_type": kind, **asked})
    return replace(found, person=_person(str(found.body.get("access_token")))) if found.status == 200 else found


def ask_for_code(form: Mapping[str, str]) -> Given:
    """A device code (RFC 8628) from the provider. Raises a SingleSignOnError."""
    there = provider.current()
    if not there.device_authorization_endpoint:
        raise ProviderRefuses(f"{settings.OIDC_NAME} offers no sign-in by code.", code="no-device-flow")
    return _ask(there.device_authorization_endpoint, {"scope": form.get("scope") or settings.OIDC_SCOPES})


def _ask(url: str, form: dict[str, str]) -> Given:
    form = {**form, "client_id": settings.OIDC_CLI_CLIENT_ID}
    answer = provider.call("POST", url, form=form, headers={"Accept": "application/json"})
    return Given(answer.status, provider.json_of(answer, url))


def _person(access_token: str) -> User:
    try:
        claims = tokens.verify_access_token(access_token)
    except TokenRefused as error:
        raise ProviderRefuses(
            f"The tokens of “{settings.OIDC_CLI_CLIENT_ID}” are not made for Parley: {error.message} "
            f"They have to name “{settings.OIDC_CLIENT_ID}” as audience: docs/single-sign-on.md.",
            code=error.code,
        ) from None
    return bearer.admit(claims, access_token).user


def description() -> dict[str, object]:
    """What an OpenID Connect client reads of these addresses. Raises a SingleSignOnError."""
    if not provider.is_configured():
        here = {"issuer": address(REALM), "token_endpoint": address(TOKEN)}
        return {**here, "grant_types_supported": [PASSWORD, REFRESH], "token_endpoint_auth_methods_supported": ["none"]}
    there = provider.current()
    found = {
        "issuer": there.issuer,
        "authorization_endpoint": there.authorization_endpoint,
        "token_endpoint": address(TOKEN),
        "device_authorization_endpoint": address(DEVICE) if there.device_authorization_endpoint else "",
        "jwks_uri": there.jwks_uri,
        "userinfo_endpoint": there.userinfo_endpoint,
        "end_session_endpoint": there.end_session_endpoint,
    }
    named: dict[str, object] = {name: value for name, value in found.items() if value}
    return {**named, "grant_types_supported": list(_FIELDS), "token_endpoint_auth_methods_supported": ["none"]}
