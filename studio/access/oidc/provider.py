"""The provider that PARLEY_OIDC_ISSUER names: where its endpoints are, and the keys it signs with.

Both are read from its discovery document and kept for ten minutes by each process, so that neither a moved endpoint
nor a new key needs a restart.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import jwt
from django.conf import settings

from studio.access.oidc.errors import ProviderAway, ProviderRefuses, SingleSignOnError, TokenRefused
from studio.web import outgoing

CONNECT_SECONDS, SECONDS, LIMIT = 3.0, 10.0, 1024**2
KEPT_SECONDS = 600.0
FRESH_SECONDS = 5.0
# While it is away not everybody who asks waits for it anew, and takes a thread to wait in.
AWAY_SECONDS = 10.0
# Whoever invents key ids must not make us ask the provider for each of them.
ASK_AGAIN_SECONDS = 30.0
# Never `none`, and never HMAC: our client secret is no signing key.
ALGORITHMS = ("RS256", "ES256", "PS256")


@dataclass(frozen=True, slots=True)
class Provider:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    device_authorization_endpoint: str = ""
    posts_secret: bool = False  # the client secret goes into the form instead of the Authorization header


@dataclass(slots=True)
class _Known:
    """What this process knows of one issuer, and when it learned it (monotonic seconds)."""

    provider: Provider | None = None
    provider_at: float = 0.0
    failure: Callable[[], SingleSignOnError] | None = None
    failed_at: float = 0.0
    keys: list[dict[str, Any]] = field(default_factory=list)
    keys_at: float = float("-inf")
    asked_again_at: float = float("-inf")


_known: dict[str, _Known] = {}


def is_configured() -> bool:
    return bool(settings.OIDC_ISSUER)


def current(*, fresh: bool = False) -> Provider:
    """The provider as its discovery document describes it. `fresh`: it answered within the last seconds.

    Raises ProviderAway or ProviderRefuses, and the same again for some seconds without asking.
    """
    known, now = _known.setdefault(settings.OIDC_ISSUER, _Known()), time.monotonic()
    if known.provider is not None and now - known.provider_at <= (FRESH_SECONDS if fresh else KEPT_SECONDS):
        return known.provider
    if known.failure is not None and now - known.failed_at <= AWAY_SECONDS:
        raise known.failure()
    try:
        known.provider = _discover()
    except SingleSignOnError as error:
        known.failure, known.failed_at = partial(type(error), error.message, code=error.code), time.monotonic()
        raise
    known.provider_at, known.failure = time.monotonic(), None
    return known.provider


def forget() -> None:
    """Ask for everything anew at the next use."""
    _known.clear()


def _discover() -> Provider:
    document = ask_json(f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != settings.OIDC_ISSUER:
        raise ProviderRefuses(
            f"PARLEY_OIDC_ISSUER is {settings.OIDC_ISSUER}, and the provider calls itself {document.get('issuer')}. "
            "Both must be written the same, to the last slash."
        )
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    try:
        return Provider(
            issuer=document["issuer"],
            authorization_endpoint=document["authorization_endpoint"],
            token_endpoint=document["token_endpoint"],
            jwks_uri=document["jwks_uri"],
            userinfo_endpoint=document.get("userinfo_endpoint", ""),
            end_session_endpoint=document.get("end_session_endpoint", ""),
            device_authorization_endpoint=document.get("device_authorization_endpoint", ""),
            posts_secret="client_secret_basic" not in methods,
        )
    except KeyError as error:
        raise ProviderRefuses(f"The provider's discovery document does not name its {error.args[0]}.") from None


def signing_key(header: Mapping[str, Any]) -> jwt.PyJWK:
    """The provider's public key that the header of a token names."""
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("The provider signed with a method that Parley does not accept.", code="wrong-algorithm")
    found = _pick(_keys(), key_id, algorithm)
    if found is None and _may_ask_again():
        found = _pick(_keys(fresh=True), key_id, algorithm)
    if found is None:
        raise TokenRefused("The provider has no key by which this sign-in could be checked.", code="unknown-key")
    try:
        return jwt.PyJWK(found, algorithm=algorithm)
    except jwt.PyJWTError:
        raise TokenRefused("The provider's key does not fit its signature.", code="unknown-key") from None


def _pick(keys: list[dict[str, Any]], key_id: object, algorithm: str) -> dict[str, Any] | None:
    """A token that names no key is checked by the only one there is; where there are several, it must name one."""
    fitting = [key for key in keys if key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm]
    if key_id is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.get("kid") == key_id), None)


def _keys(*, fresh: bool = False) -> list[dict[str, Any]]:
    provider = current()
    known = _known.setdefault(provider.issuer, _Known())
    if fresh or time.monotonic() - known.keys_at > KEPT_SECONDS:
        found = ask_json(provider.jwks_uri).get("keys")
        known.keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
        known.keys_at = time.monotonic()
    return known.keys


def clock_differs() -> float:
    """Seconds by which the provider's clock is ahead of ours, to a second or so; 0 where it does not tell."""
    answer = call("GET", f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration")
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return 0.0
    return (theirs - datetime.now(UTC)).total_seconds()


def usable_keys() -> int:
    """How many of the provider's keys can check a sign-in, asked anew."""
    return sum(bool(_pick([key], key.get("kid"), str(key.get("alg", ALGORITHMS[0])))) for key in _keys(fresh=True))


def _may_ask_again() -> bool:
    known, now = _known.setdefault(settings.OIDC_ISSUER, _Known()), time.monotonic()
    if now - known.asked_again_at < ASK_AGAIN_SECONDS:
        return False
    known.asked_again_at = now
    return True


def ask_json(url: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at an address of the provider's."""
    answer = call("GET", url, headers=headers)
    if answer.status != 200:
        raise ProviderRefuses(f"{outgoing.host_of(url)} answered {answer.status} where it should describe itself.")
    return json_of(answer, url)


def call(
    method: str, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> outgoing.Answer:
    """One request to the provider. Its address comes from whoever runs Parley, so it may be in the private network."""
    try:
        answer = outgoing.request(
            method,
            url,
            form=form,
            headers=headers,
            timeout=SECONDS,
            connect=CONNECT_SECONDS,
            limit=LIMIT,
            hosts=("*",),
        )
    except outgoing.OutgoingError as error:
        raise ProviderAway(error.message) from None
    if answer.status >= 500:
        raise ProviderAway(f"{outgoing.host_of(url)} answered {answer.status}: it has trouble of its own.")
    return answer


def json_of(answer: outgoing.Answer, url: str) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderRefuses(f"{outgoing.host_of(url)} answered something that is no JSON object.")
    return found
