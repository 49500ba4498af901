"""Command lines at addresses of ours, with the real Keycloak behind them: the requests of the official `rasa studio`
command as they come, and sign-in by a code that is typed into the browser.
"""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
import requests

from studio.access.models import User
from tests.environments.test_rasa_studio import BY_NAME, DELETE, DOMAIN, EXPORT, LICENSE, NLU, UPLOAD
from tests.stack.keycloak import PASSWORD
from tests.stack.test_single_sign_on import wait_for_tokens

pytestmark = pytest.mark.stack
REALM = "/auth/realms/rasa-studio"
CLI = str(Path(__file__).resolve().parents[2] / "cli" / "src")
ENDED = jwt.encode({"exp": 1}, "a token that has ended, as the command sees it")


def _ask_here(person: str, live_server, **form: str) -> requests.Response:
    """As the official command asks: its own client's name, which means nothing here."""
    url = f"{live_server.url}{REALM}/protocol/openid-connect/token"
    credentials = {"username": person, "password": PASSWORD, "grant_type": "password"}
    return requests.post(url, {"client_id": "admin-cli", "scope": "openid", **credentials, **form}, timeout=30)


def _studio(live_server, given: dict[str, str], query: str, **wanted: object) -> dict[str, object]:
    body = {"query": query, "variables": {"input": wanted}}
    headers = {"Authorization": f"{given['token_type']} {given['access_token']}"}
    answer = requests.post(
        f"{live_server.url}/api/graphql/", json=body, headers=headers, timeout=60, allow_redirects=False
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def with_passwords(keycloak):
    """What docs/single-sign-on.md says to turn on for the official command."""
    keycloak.change_client("parley-cli", directAccessGrantsEnabled=True)
    yield keycloak
    keycloak.change_client("parley-cli", directAccessGrantsEnabled=False)


def test_the_official_command_signs_in_uploads_downloads_and_deletes(with_passwords, live_server) -> None:
    with_passwords.add("mara", "admins")
    assert requests.get(f"{live_server.url}{REALM}/.well-known/openid-configuration", timeout=30).status_code == 200
    wrong = _ask_here("mara", live_server, password="wrong")
    assert (wrong.status_code, bool(wrong.json()["message"])) == (401, True)
    given = _ask_here("mara", live_server).json()
    assert given.keys() >= {"access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"}
    for name in ("access_token", "refresh_token"):
        assert jwt.decode(given[name], options={"verify_signature": False})["exp"] > time.time()
    assert _studio(live_server, given, LICENSE)["data"]["licenseDetails"]["valid"] is True
    nlu, domain = (base64.b64encode(text.encode()).decode() for text in (NLU, DOMAIN))
    _studio(live_server, given, UPLOAD, assistantName="Cafe_Bot", nlu=nlu, domain=domain)
    found = _studio(live_server, given, BY_NAME, assistantName="Cafe_Bot")["data"]["assistantByName"]
    again = _ask_here("mara", live_server, grant_type="refresh_token", refresh_token=given["refresh_token"]).json()
    export = _studio(live_server, again, EXPORT, assistantName="Cafe_Bot")["data"]["exportAsEncodedYaml"]
    assert (export["nlu"], export["domain"]) == (nlu, domain)
    assert _studio(live_server, again, DELETE, assistantId=found["id"])["data"]["deleteAssistant"]["id"] == found["id"]
    assert User.objects.get().username == "mara"


def test_a_realm_that_lets_no_password_through_says_so(keycloak, live_server) -> None:
    keycloak.add("mara", "admins")
    answer = _ask_here("mara", live_server)
    assert (answer.status_code, "direct access grants" in answer.json()["message"]) == (400, True)


def test_a_command_line_signs_in_by_code_through_our_addresses_and_asks_the_api(
    keycloak, somebody, live_server
) -> None:
    keycloak.add("mara", "annotators")
    ways = requests.get(f"{live_server.url}/api/sign-in-ways", timeout=30).json()["single_sign_on"]
    begun = requests.post(ways["device_endpoint"], {"scope": ways["scope"]}, timeout=30).json()
    wanted = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun["device_code"]}
    pending = requests.post(ways["token_endpoint"], wanted, timeout=30).json()
    assert (pending["error"], bool(pending["message"])) == ("authorization_pending", True)
    somebody().allow(begun["verification_uri_complete"], "mara")
    given = wait_for_tokens(ways["token_endpoint"], begun["interval"], wanted)
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    me = requests.get(f"{live_server.url}/api/user", headers=headers, timeout=30).json()
    assert (me["username"], me["roles"]) == ("mara", ["annotator"])
    web = requests.get(
        f"{live_server.url}/api/user", headers={"Authorization": f"Bearer {given.get('id_token')}"}, timeout=30
    )
    assert web.status_code == 401


def test_parley_signs_in_by_a_browser_and_stays_signed_in(keycloak, somebody, live_server, tmp_path: Path) -> None:
    keycloak.add("mara", "annotators")
    command = [sys.executable, "-m", "parley_cli"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": CLI, "PARLEY_URL": live_server.url}
    login = subprocess.Popen([*command, "login"], env=environment, stderr=subprocess.PIPE, text=True)
    address = next(line.removeprefix("Open ").strip() for line in login.stderr if line.startswith("Open "))
    somebody().allow(address, "mara")
    _, more = login.communicate(timeout=60)
    assert login.returncode == 0, more

    def whoami() -> str:
        told = subprocess.run(
            [*command, "whoami", "--json"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)["username"]

    assert whoami() == "mara"
    (kept,) = tmp_path.rglob("profiles.json")
    profiles = json.loads(kept.read_text())
    before = json.dumps(profiles)
    for profile in profiles.values():
        profile["token"] = ENDED
    kept.write_text(json.dumps(profiles))
    assert whoami() == "mara"
    assert ENDED not in kept.read_text() and json.dumps(json.loads(kept.read_text())) != before
