"""`python -m bench sign_in`: a sign-in through a real Keycloak, against the same round trip without Parley.

Both fetch Keycloak's form, send it, and redeem the code; Parley also checks the token, knows the person again, sets
their roles, and writes session and audit event.
"""

import base64
import hashlib
import html
import os
import re
import secrets
import shutil
import statistics
import time
from collections.abc import Callable
from http.cookiejar import Cookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.cookies import RequestsCookieJar

from bench.ground import web
from bench.rows import NotRun, Row
from tests.stack.keycloak import CLIENT_SECRET, PASSWORD, Keycloak, running

ROUNDS = 15
NAME = "bench-annotator"
AIM = 0.1  # seconds


def run() -> list[Row]:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise NotRun(f"there is no {program} on the PATH, and it needs Keycloak")
    with running("http://localhost:1") as keycloak:
        keycloak.remove_everybody()
        keycloak.add(NAME, "annotators")
        os.environ |= {"PARLEY_OIDC_ISSUER": keycloak.issuer, "PARLEY_OIDC_CLIENT_SECRET": CLIENT_SECRET}
        with web(1000) as server:
            parley = f"http://localhost:{server.port}"
            keycloak.move_parley(parley)
            return measure(parley, keycloak)


def measure(parley: str, keycloak: Keycloak) -> list[Row]:
    """In turn, so that whatever else the machine does meets both; the first of each only warms up."""
    ways: tuple[Callable[[], float], ...] = (lambda: through(parley), lambda: by_hand(parley, keycloak))
    found = [[way() for way in ways] for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(times) for times in zip(*found, strict=True))
    more = statistics.median(one - other for one, other in found)
    compared = f"Keycloak alone {theirs * 1e3:.0f} ms"
    return [
        Row("sign-in with Keycloak", f"{ours * 1e3:.0f} ms", compared, f"+{more * 1e3:.0f} ms", "+100 ms", more <= AIM)
    ]


class Cookies(RequestsCookieJar):
    """As browsers do, it counts localhost as safe enough for Keycloak's secure cookies."""

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


def new_browser() -> requests.Session:
    browser = requests.Session()
    browser.cookies = Cookies()
    return browser


def through(parley: str) -> float:
    """Seconds from the click on the sign-in page until the browser is sent to its page."""
    browser = new_browser()
    began = time.perf_counter()
    form = browser.get(f"{parley}/oidc/begin?next=/settings/account", timeout=60).text
    answer = browser.get(_fill_in(browser, form), allow_redirects=False, timeout=60)
    seconds = time.perf_counter() - began
    if answer.headers.get("Location") != "/settings/account":
        raise RuntimeError(f"The sign-in ended with {answer.status_code}: {answer.text[:500]}")
    return seconds


def by_hand(parley: str, keycloak: Keycloak) -> float:
    """The same round trip as the least client does it."""
    browser, verifier = new_browser(), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    callback = f"{parley}/oidc/callback"
    asked = {
        "client_id": "parley-web",
        "response_type": "code",
        "scope": "openid profile email",
        "redirect_uri": callback,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    began = time.perf_counter()
    form = browser.get(f"{keycloak.issuer}/protocol/openid-connect/auth", params=asked, timeout=60).text
    code = parse_qs(urlsplit(_fill_in(browser, form)).query)["code"][0]
    redeemed = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
    answer = requests.post(
        f"{keycloak.issuer}/protocol/openid-connect/token", redeemed, auth=("parley-web", CLIENT_SECRET), timeout=60
    )
    answer.raise_for_status()
    return time.perf_counter() - began


def _fill_in(browser: requests.Session, form: str) -> str:
    """Where Keycloak sends the browser after the right password."""
    found = re.search(r'<form[^>]*action="([^"]+)"', form)
    if found is None:
        raise RuntimeError(f"This is not Keycloak's form: {form[:500]}")
    fields = {"username": NAME, "password": PASSWORD}
    answer = browser.post(html.unescape(found[1]), fields, allow_redirects=False, timeout=60)
    if answer.status_code != 302:
        raise RuntimeError(f"Keycloak answered {answer.status_code} to its form.")
    return answer.headers["Location"]
