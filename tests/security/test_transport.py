"""Behind TLS: browsers keep to https, and no cookie travels without it."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.security.test_checks import environment

SCRIPT = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "studio.settings"
import django
django.setup()
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
from django.test import Client
host = {"host": "parley.example.com"}
tls = {**host, "x-forwarded-proto": "https"}
page = Client().get("/sign-in", headers=tls)
print(json.dumps({
    "tls": [page.status_code, dict(page.headers)],
    "cookies": {name: [bool(c["secure"]), bool(c["httponly"]), c["samesite"]] for name, c in page.cookies.items()},
    "session": [settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_SAMESITE],
    "plain": [Client().get("/sign-in?next=/x", headers=host).status_code,
              Client().get("/sign-in?next=/x", headers=host).headers.get("Location")],
    "probe": Client().get("/healthz", headers=host).status_code,
    "rasa": Client().get("/api/nowhere", headers=host).status_code,
}))
"""


def seen(**changes: str) -> dict:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        cwd=settings.BASE_DIR,
        env=environment(**changes) | {"HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def behind_tls() -> dict:
    return seen(PARLEY_TRUSTED_PROXIES="1")


def test_browsers_are_told_to_keep_to_https(behind_tls) -> None:
    status, headers = behind_tls["tls"]
    assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=31536000")


def test_cookies_are_secure(behind_tls) -> None:
    assert behind_tls["cookies"] and all(secure for secure, _, _ in behind_tls["cookies"].values())
    assert behind_tls["session"] == [True, True, "Lax"]


def test_plain_http_leads_to_the_same_page_by_https(behind_tls) -> None:
    assert behind_tls["plain"] == [301, "https://parley.example.com/sign-in?next=/x"]


def test_probes_and_rasa_servers_come_by_plain_http_from_inside(behind_tls) -> None:
    assert (behind_tls["probe"], behind_tls["rasa"]) == (200, 404)


def test_without_a_trusted_proxy_its_word_is_not_believed_and_nothing_is_redirected_for_ever() -> None:
    found = seen()
    assert found["plain"][0] == 200
    assert "Strict-Transport-Security" not in found["tls"][1]
    assert all(secure for secure, _, _ in found["cookies"].values())
