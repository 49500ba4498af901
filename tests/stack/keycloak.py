"""A real Keycloak with the realm of deploy/keycloak, started once for a test run and ended with it.

Its distribution (160 MB) comes from Maven once and is kept in the user's cache folder; its data are in memory.

While you work on these tests: `python -m tests.stack.keycloak` starts one and keeps it, and KEYCLOAK_URL=<what it
prints> makes the tests use that one.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest
import requests

from studio.embedded import child
from tests.docs.pages import block_of
from tests.stack.programs import free_port, need

VERSION = "26.4.5"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "keycloak"
REALM_FILE = Path(__file__).resolve().parent.parent.parent / "deploy" / "keycloak" / "parley-realm.json"
OPERATOR, OPERATOR_PASSWORD = "operator", "operator-of-the-tests"  # the name is the page's
CLIENT_SECRET = "client-secret-of-the-tests"
PASSWORD = "correct-horse-battery"
START_SECONDS = 300  # 11 on a quiet machine
WAIT_SECONDS = 600  # for another test run to be done with it


@dataclass
class Keycloak:
    """A running server, as its administrator sees it."""

    url: str
    token: str = ""
    token_until: float = 0.0
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/parley"

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        """A request to the realm's administration; `path` begins after `/admin/realms/parley`."""
        response = requests.request(
            method,
            f"{self.url}/admin/realms/parley{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._administrator()}"},
            timeout=60,
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def _administrator(self) -> str:
        if time.monotonic() > self.token_until:
            form = {
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": OPERATOR,
                "password": OPERATOR_PASSWORD,
            }
            answer = requests.post(f"{self.url}/realms/master/protocol/openid-connect/token", form, timeout=60)
            answer.raise_for_status()
            self.token = answer.json()["access_token"]
            self.token_until = time.monotonic() + answer.json()["expires_in"] - 15
        return self.token

    def add(self, username: str, *groups: str) -> str:
        """The id of a new person in these groups, whose password is PASSWORD."""
        body = {
            "username": username,
            "enabled": True,
            "firstName": username.title(),
            "lastName": "of the tests",
            "email": f"{username}@example.com",
            "emailVerified": True,
            "groups": list(groups),
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        return self.ask("POST", "/users", body).headers["Location"].rpartition("/")[2]

    def remove_everybody(self) -> None:
        for person in self.ask("GET", "/users?max=1000").json():
            self.ask("DELETE", f"/users/{person['id']}")

    def leave_group(self, person: str, name: str) -> None:
        group = next(one for one in self.ask("GET", f"/users/{person}/groups").json() if one["name"] == name)
        self.ask("DELETE", f"/users/{person}/groups/{group['id']}")

    def sign_out(self, person: str) -> None:
        self.ask("POST", f"/users/{person}/logout")

    def change_realm(self, **values: object) -> None:
        self.ask("PUT", "", values)

    def change_client(self, client_id: str = "parley-web", /, **values: object) -> None:
        client = self.ask("GET", f"/clients?clientId={client_id}").json()[0]
        self.ask("PUT", f"/clients/{client['id']}", {**client, **values})

    def move_parley(self, url: str) -> None:
        """What the import of the realm file does with PARLEY_URL and PARLEY_INTERNAL_URL, for another address."""
        client = self.ask("GET", "/clients?clientId=parley-web").json()[0]
        written = json.dumps(client).replace(client["rootUrl"], url)
        self.ask("PUT", f"/clients/{client['id']}", json.loads(written))

    def rotate_key(self) -> None:
        """A new RSA key signs from now on, and the old ones are gone."""
        found = self.ask("GET", "/components?type=org.keycloak.keys.KeyProvider").json()
        old = [one for one in found if one["providerId"] == "rsa-generated"]
        config = {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
        new = {"name": f"rsa-{time.time()}", "providerId": "rsa-generated", "config": config}
        self.ask("POST", "/components", {**new, "providerType": "org.keycloak.keys.KeyProvider"})
        for one in old:
            self.ask("DELETE", f"/components/{one['id']}")


def distribution() -> Path:
    """The unpacked distribution; fetched when this machine has none yet."""
    home = CACHE / f"keycloak-{VERSION}"
    if home.is_dir():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    need("mvn", "maven")
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy"
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run(["mvn", "-q", "-B", plugin, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.zip"))) as archive:
            archive.extractall(folder)
        (Path(folder) / home.name).rename(home)
    sys.stderr.write(f"\nKeycloak {VERSION} is now in {home}.\n")
    return home


@contextmanager
def running(parley_url: str) -> Iterator[Keycloak]:
    """A Keycloak whose realm lets in browsers that come from `parley_url`. One at a time uses the distribution."""
    if kept := os.environ.get("KEYCLOAK_URL"):
        keycloak = Keycloak(kept)
        keycloak.move_parley(parley_url)
        yield keycloak
        return
    need("java", "default-jre-headless (Java 17 or newer)")
    home = distribution()
    with (CACHE / "lock").open("w") as lock:
        _take(lock)
        (home / "data" / "import").mkdir(parents=True, exist_ok=True)
        shutil.copy(REALM_FILE, home / "data" / "import")
        port = free_port()
        process = _start(home, port, parley_url)
        try:
            keycloak = Keycloak(f"http://localhost:{port}")
            _wait(keycloak, process)
            yield keycloak
        finally:
            _end(process)


def _take(lock: TextIO) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(1)
    pytest.fail(f"Another test run has used Keycloak for {WAIT_SECONDS} s; see who holds {lock.name}.")


def _start(home: Path, port: int, parley_url: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
        "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",  # it lives for minutes: quick to start counts
        # What the realm file leaves open, as whoever deploys it does:
        "PARLEY_URL": parley_url,
        "PARLEY_INTERNAL_URL": parley_url,
        "PARLEY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    # A test run that is killed takes its Keycloak with it.
    command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", "bash", "-e", "-c", _typed(port)]
    with (CACHE / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True)


def _typed(port: int) -> str:
    """The lines of the page, at this port and for this machine alone, with data that end with it."""
    ours = {
        "KC_BOOTSTRAP_ADMIN_PASSWORD=...": f"KC_BOOTSTRAP_ADMIN_PASSWORD={OPERATOR_PASSWORD}",
        "--http-port 8080": f"--http-port {port} --http-host 127.0.0.1 --db dev-mem",
        "bin/kc.sh": "exec bash bin/kc.sh",  # unzipped without the right to run it, and no shell stays above it
    }
    return block_of("docs/single-sign-on.md", "export KC_BOOTSTRAP", ours)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The script and the Java below it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


def _wait(keycloak: Keycloak, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{keycloak.issuer}/.well-known/openid-configuration", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"Keycloak does not start:\n{(CACHE / 'log').read_text()[-3000:]}")


if __name__ == "__main__":
    with running("http://localhost:8000") as started:
        sys.stdout.write(f"{started.url}\n")
        sys.stdout.flush()
        signal.pause()
