"""Signing in by a browser (the device flow of the team's single sign-on), and staying signed in.

Parley itself answers the provider's addresses, so a token goes to no other machine.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from parley_cli import clock, config
from parley_cli.client import CONNECT, READ, Client, unreachable
from parley_cli.failures import Code, Failure

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EARLY = 20  # seconds before its end a token is renewed


def single_sign_on(client: Client) -> Any:
    """What Parley offers for the device flow; None when it does not."""
    try:
        found = client.get("sign-in-ways")["single_sign_on"]
    except Failure as failure:
        if failure.status == 404:
            return None
        raise
    return found if found and found["device_endpoint"] else None


def by_device(client: Client, offer: Any, say: Callable[[str], None]) -> tuple[str, str]:
    """An access token, and what renews it, once somebody has agreed in a browser."""
    begun = _post(client, offer["device_endpoint"], {"scope": offer["scope"]})
    if "device_code" not in begun:
        raise Failure(_why(begun, f"{offer['name']} does not let programs sign in."), Code.NOT_SIGNED_IN)
    say(f"Open {begun.get('verification_uri_complete') or begun['verification_uri']}")
    say(f"and check that it shows the code {begun['user_code']}.")
    pause = float(begun.get("interval") or 5)
    until = clock.now() + float(begun.get("expires_in") or 600)
    asked = {"grant_type": DEVICE_GRANT, "device_code": begun["device_code"]}
    problem: Failure | None = None
    while clock.now() < until:
        clock.pause(pause)
        try:
            found, problem = _post(client, offer["token_endpoint"], asked), None
        except Failure as failure:  # the code holds until its end
            problem = failure
            continue
        if "access_token" in found:
            return str(found["access_token"]), _renewal(offer["token_endpoint"], found)
        if found.get("error") == "slow_down":
            pause += 5
        elif found.get("error") != "authorization_pending":
            raise Failure(_why(found, "Nobody agreed."), Code.NOT_SIGNED_IN)
    raise problem or Failure("Nobody agreed in time. Type parley login again.", Code.NOT_SIGNED_IN)


def renewer(profile: config.Profile) -> Callable[[], str | None] | None:
    """For Client: a new token shortly before the old one ends, which the profile keeps."""
    if not profile.refresh:
        return None
    state = {"profile": profile, "ends": _end_of(profile.token)}

    def renew() -> str | None:
        if time.time() < float(str(state["ends"])) - EARLY:
            return None
        known = state["profile"]
        assert isinstance(known, config.Profile)
        fresh = _renewed(config.profiles().get(known.name, known))
        config.keep(fresh)
        state.update(profile=fresh, ends=_end_of(fresh.token))
        return fresh.token

    return renew


def _renewed(profile: config.Profile) -> config.Profile:
    """Of a profile as it is on disk, where another `parley` may have renewed it already."""
    if time.time() < _end_of(profile.token) - EARLY:
        return profile
    kept = json.loads(profile.refresh)
    form = {"grant_type": "refresh_token", "refresh_token": kept["token"]}
    found = _post(Client(profile.url), kept["endpoint"], form)
    if "access_token" not in found:
        raise Failure(f"You are signed in no longer. Type: parley login --profile {profile.name}", Code.NOT_SIGNED_IN)
    renewal = _renewal(kept["endpoint"], {"refresh_token": kept["token"], **found})
    return config.Profile(profile.name, profile.url, str(found["access_token"]), renewal)


def _renewal(endpoint: str, found: Any) -> str:
    token = found.get("refresh_token")
    return json.dumps({"endpoint": endpoint, "token": token}) if token else ""


def _end_of(token: str) -> float:
    """When a JWT ends, in seconds since 1970; never for what is none."""
    parts = token.split(".")
    try:
        body = parts[1] + "=" * (-len(parts[1]) % 4)
        return float(json.loads(base64.urlsafe_b64decode(body))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return float("inf")


def _post(client: Client, endpoint: str, form: dict[str, str]) -> Any:
    """To the endpoint's path on Parley's own address, whatever address it was told with.

    What is refused has an `error`. Raises Failure where nobody decided anything.
    """
    here = urlsplit(client.url)
    address = f"{here.scheme}://{here.netloc}{urlsplit(endpoint).path}"
    try:
        response = requests.post(
            address, data=form, timeout=(CONNECT, READ), allow_redirects=False, auth=lambda request: request
        )
    except requests.RequestException as error:
        raise unreachable(client.url, error) from None
    try:
        found = response.json()
    except ValueError:
        found = None
    if response.status_code >= 500:
        away = f"The single sign-on of {client.url} does not answer just now ({response.status_code})."
        raise Failure(_why(found, away), Code.UNREACHABLE, status=response.status_code)
    if not isinstance(found, dict):
        raise Failure(f"{client.url} does not answer as Parley does.", Code.UNREACHABLE)
    return found


def _why(answer: Any, otherwise: str) -> str:
    if not isinstance(answer, dict):
        return otherwise
    return str(answer.get("error_description") or answer.get("message") or otherwise)
