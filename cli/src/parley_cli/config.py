"""Where Parley is, and who asks: profiles of the person, `.parley.toml` of a project, variables of a CI job.

A profile's token goes to that profile's address and nowhere else: a `.parley.toml` in somebody else's repository can
choose among profiles, and never says where a token is sent.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from parley_cli.failures import Code, Failure

PROJECT_FILE = ".parley.toml"
DEFAULT_PROFILE, DEFAULT_PROJECT = "default", "default"
_LINE = re.compile(r"""^\s*([a-z_]+)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*')\s*(?:#.*)?$""")


@dataclass(frozen=True)
class Profile:
    """`refresh` gets another token when this one has ended; empty for an API token, which lives on."""

    name: str
    url: str
    token: str
    refresh: str = ""


@dataclass(frozen=True)
class Target:
    """Which Parley is asked, with whose token, about which assistant."""

    url: str
    token: str
    project: str
    profile: str | None


def base_url(typed: str) -> str:
    """`https://parley.example.com` of whatever somebody typed or copied. Raises Failure."""
    text = typed.strip()
    if "://" not in text:
        host = text.partition("/")[0].partition(":")[0]
        text = f"{'http' if host in ('localhost', '127.0.0.1') else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("http", "https") and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or not text.isprintable() or " " in text:
        raise Failure(f"{typed} is no address of Parley, such as https://parley.example.com.", Code.USAGE)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api')}"


# --- Profiles ---------------------------------------------------------------------------------------------------------


def folder() -> Path:
    root = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(root) / "parley"


def profiles() -> dict[str, Profile]:
    path = folder() / "profiles.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): Profile(str(name), str(one["url"]), str(one["token"]), str(one.get("refresh", "")))
            for name, one in found.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise Failure(f"{path} cannot be read ({error}). Mend or delete it, then sign in again.") from error


def keep(profile: Profile) -> Path:
    """Add or replace a profile; nobody else on the machine may read it."""
    return _write({**profiles(), profile.name: profile})


def forget(name: str) -> None:
    _write({key: one for key, one in profiles().items() if key != name})


def _write(found: Mapping[str, Profile]) -> Path:
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder() / "profiles.json"
    facts = {name: {"url": one.url, "token": one.token, "refresh": one.refresh} for name, one in found.items()}
    write_safely(path, json.dumps(facts, indent=2).encode())
    return path


def write_safely(path: Path, content: bytes, mode: int = 0o600) -> None:
    """All or nothing, also when it is interrupted."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# --- The project's file -----------------------------------------------------------------------------------------------


def project_folder(start: Path | None = None) -> Path | None:
    """The nearest folder from here upwards that has a `.parley.toml`."""
    here = (start or Path.cwd()).resolve()
    return next((one for one in (here, *here.parents) if (one / PROJECT_FILE).is_file()), None)


def project_settings(root: Path | None) -> dict[str, str]:
    """`url`, `profile` and `project`, as far as the file has them. Raises Failure for what is none of that."""
    if root is None:
        return {}
    found = {}
    try:
        text = (root / PROJECT_FILE).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Failure(f"{root / PROJECT_FILE} is not text in UTF-8.", Code.USAGE) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if not match or match[1] not in ("url", "profile", "project"):
            raise Failure(f'{PROJECT_FILE}, line {number}: only url, profile and project = "…" are known.', Code.USAGE)
        found[match[1]] = _text(match[2], number)
    return found


def _text(quoted: str, number: int) -> str:
    if quoted[0] == "'":
        return quoted[1:-1]
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise Failure(
            f"{PROJECT_FILE}, line {number}: write '…' instead of \"…\" where there is a backslash.", Code.USAGE
        ) from None


def write_project(root: Path, settings: Mapping[str, str]) -> Path:
    path = root / PROJECT_FILE
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    write_safely(
        path,
        ("# Which assistant of which Parley this folder is. See `parley --help`.\n" + "".join(lines)).encode(),
        0o644,
    )
    return path


# --- Which one is meant -----------------------------------------------------------------------------------------------


def target(profile: str | None, project: str | None) -> Target:
    """What counts: options, then variables, then the project's file, then the profile. Raises Failure."""
    settings = project_settings(project_folder())
    wanted = project or os.environ.get("PARLEY_PROJECT") or settings.get("project") or DEFAULT_PROJECT
    url = os.environ.get("PARLEY_URL", "") if profile is None else ""
    token = os.environ.get("PARLEY_TOKEN", "") if profile is None else ""
    if url and token:
        return Target(base_url(url), token.strip(), wanted, None)
    if token:
        raise Failure("PARLEY_TOKEN is set, but PARLEY_URL is not: where is Parley?", Code.USAGE)
    chosen = _chosen(profile, base_url(url) if url else "", settings)
    return Target(chosen.url, chosen.token, wanted, chosen.name)


def _chosen(profile: str | None, url: str, settings: Mapping[str, str]) -> Profile:
    known = profiles()
    said = profile or (None if url else os.environ.get("PARLEY_PROFILE"))
    name = said or (None if url else settings.get("profile"))
    place = url or settings.get("url", "")
    if name is not None:
        if name not in known:
            raise Failure(f"There is no profile {name}. Sign in: parley login --profile {name}", Code.NOT_SIGNED_IN)
        if not said:
            _agree(known[name], settings)
        return known[name]
    if place:
        return _at(base_url(place), known)
    if not known:
        raise Failure("You are not signed in. Type: parley login", Code.NOT_SIGNED_IN)
    if DEFAULT_PROFILE in known:
        return known[DEFAULT_PROFILE]
    if len(known) == 1:
        return next(iter(known.values()))
    raise Failure(f"Say which profile is meant: --profile {' or '.join(sorted(known))}", Code.USAGE)


def _agree(profile: Profile, settings: Mapping[str, str]) -> None:
    """The two lines of a project's file mean one Parley. Raises Failure."""
    named = settings.get("url")
    if named and base_url(named) != profile.url:
        raise Failure(
            f"{PROJECT_FILE} names {base_url(named)}, but its profile {profile.name} is signed in at {profile.url}."
            " Take one of the two lines out of it.",
            Code.USAGE,
        )


def _at(place: str, known: Mapping[str, Profile]) -> Profile:
    fitting = [one for one in known.values() if one.url == place]
    if not fitting:
        raise Failure(f"You are not signed in at {place}. Type: parley login --url {place}", Code.NOT_SIGNED_IN)
    return next((one for one in fitting if one.name == DEFAULT_PROFILE), fitting[0])
