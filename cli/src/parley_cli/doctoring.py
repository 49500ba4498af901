"""What `parley doctor` looks at, in the order in which things depend on each other."""

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from parley_cli import __version__, config
from parley_cli.client import Client, unreachable
from parley_cli.commands.doctor import BAD, GOOD, UNSURE, Finding, Found, facts_of
from parley_cli.failures import Failure

if TYPE_CHECKING:
    from parley_cli.command import Session

CLOCK = 30  # seconds; chat tokens live for sixty
SOON = 7 * 86400  # seconds before a token's end at which one should know
LOCAL = ("localhost", "127.0.0.1", "::1")
OF_CHECK = {"running": GOOD, "failed": BAD}


# --- Parley -----------------------------------------------------------------------------------------------------------


def of_parley(session: "Session") -> Found:
    url = session.target.url
    answer = Client(url).send("GET", "/api/version")
    yield _version(url, answer.data)
    yield _clock(answer.headers.get("Date", ""))
    if url.startswith("http://") and urlsplit(url).hostname not in LOCAL:
        yield Finding("connection", UNSURE, "Tokens travel unencrypted.", "Put https before Parley.")
    yield from _token(session)
    yield from _parts(url)


def _version(url: str, facts: Any) -> Finding:
    theirs = str(facts.get("rasa-x", "")) if isinstance(facts, dict) else ""
    if not theirs:
        raise Failure(f"{url} answers, but is no Parley. Is the address right?")
    about = f"Parley {theirs} at {url}"
    if theirs.split(".")[:2] != __version__.split(".")[:2]:
        return Finding(
            "version", UNSURE, f"{about}, but this command is of {__version__}.", "Install the same version."
        )
    return Finding("version", GOOD, about)


def _clock(date: str) -> Finding:
    try:
        difference = time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", UNSURE, "Parley does not say what time it is.")
    if abs(difference) <= CLOCK:
        return Finding("clock", GOOD, "This machine and Parley agree on the time.")
    side = "ahead of" if difference > 0 else "behind"
    return Finding(
        "clock",
        BAD,
        f"The clock here is {abs(difference):.0f} s {side} Parley's.",
        "Let both machines, and those of Rasa servers, take the time from NTP: tokens of the chat live for a minute.",
        "timedatectl set-ntp true",
    )


def _token(session: "Session") -> Found:
    person = session.client.get("user")
    token = person["token"]
    yield Finding("token", GOOD, f"It is {person['username']}'s. Roles: {', '.join(person['roles']) or 'none'}")
    if not person["roles"]:
        yield Finding("token", BAD, "It may do nothing.", "Let an admin give its person a role.")
    if token and token["expires_at"] and token["expires_at"] - time.time() < SOON:
        days = max(0, token["expires_at"] - time.time()) / 86400
        yield Finding(
            "token", UNSURE, f"It ends in {days:.1f} days.", f"Make another: {session.target.url}/settings/tokens/"
        )


def _parts(url: str) -> Found:
    """What Parley says of its own parts; 503 has the same shape."""
    try:
        response = requests.get(f"{url}/readyz", timeout=20, allow_redirects=False)
        facts = response.json()
        parts = facts["parts"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        yield Finding("parts", UNSURE, "Parley does not tell about its parts at /readyz.")
        return
    for name, part in parts.items():
        status = {"ok": GOOD, "degraded": UNSURE, "off": GOOD}.get(part["status"], BAD)
        yield Finding(f"part {name}", status, part.get("message") or part["status"])


# --- Environments -----------------------------------------------------------------------------------------------------


def of_environments(session: "Session", wanted: str | None) -> Found:
    rows = session.client.get("projects", session.project, "status")
    chosen = [row for row in rows if wanted in (None, row["environment"])]
    if wanted and not chosen:
        names = ", ".join(row["environment"] for row in rows) or "none"
        raise Failure(f"{session.project} has no environment {wanted} that you may see, but: {names}.")
    for row in chosen:
        if row["kind"] == "unset" and row["model"] is None:
            yield Finding(row["environment"], GOOD, "Not set up, and nothing is promoted there.")
            continue
        yield from _environment(session, row)


def _environment(session: "Session", row: Any) -> Found:
    name = row["environment"]
    if row["model"] and not row["live"]:
        yield Finding(
            name,
            BAD,
            f"{row['model']['model']} is promoted there, but no server polls for it.",
            "Start its Rasa server with the files that the environment's page shows.",
        )
    for replica in row["replicas"]:
        status = {"running": GOOD, "failed": BAD}.get(replica["status"], UNSURE)
        yield Finding(f"{name}, server {replica['name']}", status, _runs(replica))
    found = facts_of(session.client, "projects", session.project, "environments", name, "checks")
    for check in (found or {"checks": []})["checks"]:
        status = OF_CHECK.get(check["status"], UNSURE)
        yield Finding(name, status, check["message"], check["mend"], check["line"])


def _runs(replica: Any) -> str:
    return f"{replica['message']} (runs {replica['model'] or 'no model'})"


# --- A Rasa server, as it is seen from here ---------------------------------------------------------------------------


def of_rasa(session: "Session", url: str, token: str, environment: str) -> Found:
    """It may go away between two questions, and their addresses hold its token: no error's own text is shown."""
    place = config.base_url(url)
    about = f"Rasa at {place}"
    try:
        yield from _rasa(session, place, about, token, environment)
    except requests.RequestException as error:
        yield Finding(about, BAD, unreachable(place, error).message, "Is it running, and may this machine reach it?")
    except ValueError:
        yield Finding(about, BAD, "What answers there is no Rasa server.")


def _rasa(session: "Session", place: str, about: str, token: str, environment: str) -> Found:
    version = _object(_ask(place, "/version", ""))
    yield Finding(about, GOOD, f"Rasa {version.get('version', '?')} answers.")
    status = _ask(place, "/status", token)
    if status.status_code in (401, 403):
        yield Finding(
            about,
            BAD,
            "It does not accept the server token.",
            "Set RASA_TOKEN to what it was started with, and the same on the environment's page.",
            "rasa run --enable-api --auth-token …",
        )
        return
    if status.status_code == 404:
        yield Finding(
            about,
            BAD,
            "Its HTTP API is off, so Parley cannot talk to it.",
            "Start it with the API on.",
            "rasa run --enable-api",
        )
        return
    yield from _model(session, status, about, environment)


def _model(session: "Session", status: requests.Response, about: str, environment: str) -> Found:
    facts = _object(status) if status.status_code == 200 else {}
    file = str(facts.get("model_file") or "").replace("\\", "/").rpartition("/")[2]
    if status.status_code == 409 or not file:
        yield Finding(
            about,
            BAD,
            "It has loaded no model.",
            "Its endpoints.yml must name Parley under `models`.",
            "\n".join(_endpoints(session, environment)),
        )
        return
    yield Finding(about, GOOD, f"It has loaded {file}.")
    rows = session.client.get("projects", session.project, "status")
    row = next((one for one in rows if one["environment"] == environment), None)
    if row is None or row["model"] is None:
        return
    running = {replica["hash"] for replica in row["replicas"]}
    if row["model"]["hash"] not in running:
        yield Finding(
            about,
            BAD,
            f"Parley has {row['model']['model']} live in {environment}, and no server says that it runs it.",
            "Compare its endpoints.yml with this one:",
            "\n".join(_endpoints(session, environment)),
        )


def _endpoints(session: "Session", environment: str) -> list[str]:
    """The file as it should be, without secrets."""
    found = facts_of(session.client, "projects", session.project, "environments", environment, "connection")
    return str(found["endpoints_yml"]).splitlines() if found else []


def _ask(place: str, path: str, token: str) -> requests.Response:
    params = {"token": token} if token else {}
    return requests.get(place + path, params=params, timeout=(5, 20), allow_redirects=False)


def _object(response: requests.Response) -> dict[str, Any]:
    """Raises ValueError for what Rasa would not answer."""
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found
