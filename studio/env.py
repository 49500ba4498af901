"""Typed readers of environment variables.

A value that cannot be read stops the process with the variable's name, what was found and what is expected:
a wrong setting must never become a silent default. A secret may be given as NAME or, for container secrets,
as NAME_FILE, the path of a file that holds it.
"""

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
KEPT = frozenset({"DATABASE_URL", "REDIS_URL", "RASA_X_TOKEN"})  # of ours, beside those that begin with PARLEY_

MAKES_SECRETS = "For containers, scripts/secrets.sh makes all secrets; `make run` makes its own."


class SettingError(Exception):
    """A setting is missing or cannot be read; the message names it and says what is expected."""


def text(name: str, default: str | None = None) -> str:
    """Value of `name`; SettingError when it is not set and there is no default."""
    value = os.environ.get(name)
    if value is None or value == "":
        if default is None:
            raise SettingError(f"{name} is not set.")
        return default
    return value


def optional(name: str) -> str | None:
    """Value of `name`, or None when it is unset or empty."""
    return os.environ.get(name) or None


def secret(name: str, default: str | None = None) -> str:
    """Value of `name`, else the content of the file that `name`_FILE names (surrounding white space removed)."""
    file_name = os.environ.get(f"{name}_FILE")
    if file_name and os.environ.get(name):
        raise SettingError(f"Both {name} and {name}_FILE are set; keep one.")
    if file_name:
        return _content(f"{name}_FILE names {file_name}", Path(file_name))
    if default is None and not os.environ.get(name):
        raise SettingError(f"{name} is not set. {MAKES_SECRETS}")
    return text(name, default)


def _content(named: str, file: Path) -> str:
    try:
        value = file.read_text().strip()
    except OSError as error:
        raise SettingError(f"{named}, which cannot be read: {error.strerror}. {MAKES_SECRETS}") from error
    if not value:
        raise SettingError(f"{named}, which is empty. {MAKES_SECRETS}")
    return value


def flag(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise SettingError(f"{name} is {value!r}; expected 1 or 0.")


def whole(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """A whole number between `least` and `most`, both included."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError:
        raise SettingError(f"{name} is {value!r}; expected a whole number.") from None
    if number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise SettingError(f"{name} is {number}; expected a number {bounds}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """Comma-separated values, white space around each removed, empty ones left out."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str, values: list[str]) -> list[Network]:
    """Addresses and networks such as `10.0.0.0/8`; `name` is that of their setting."""
    try:
        return [ipaddress.ip_network(value) for value in values]
    except ValueError as error:
        raise SettingError(f"{name}: {error}; expected addresses or networks such as 10.1.0.0/16.") from None


def pairs(name: str) -> list[tuple[str, str]]:
    """Comma-separated `left=right`, in their order; the same left side may stand more than once."""
    found = [word.partition("=") for word in words(name)]
    if wrong := [left for left, equals, right in found if not (left.strip() and equals and right.strip())]:
        raise SettingError(f"{name} holds {wrong[0]!r}; expected name=value, comma-separated.")
    return [(left.strip(), right.strip()) for left, _, right in found]


def yaml(name: str) -> dict[str, Any]:
    """The map in the YAML file that `name` names; empty when it is not set."""
    from ruamel.yaml import YAML  # here, because an image is proved by a Python without packages
    from ruamel.yaml.error import YAMLError

    path = optional(name)
    if path is None:
        return {}
    try:
        found = YAML(typ="safe").load(Path(path))
    except OSError as error:
        raise SettingError(f"{name} names {path}, which cannot be read: {error.strerror}.") from error
    except YAMLError as error:
        raise SettingError(f"{name} names {path}, which is no YAML: {error}") from error
    if not isinstance(found or {}, dict):
        raise SettingError(f"{name} names {path}, which holds no map.")
    return found or {}


def hosts(*urls: str) -> list[str]:
    """The host names of addresses, and those of this machine; IPv6 in brackets, as requests carry it."""
    found = [urlsplit(url).hostname or "" for url in urls]
    named = [f"[{host}]" if ":" in host else host for host in found if host]
    return list(dict.fromkeys([*named, "localhost", "127.0.0.1", "[::1]"]))


_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3}


def size(name: str, default: str) -> int:
    """A number of bytes, written as `2GB`, `500 MB`, `10k` or a plain number."""
    value = text(name, default).strip().lower()
    digits = value.rstrip("bkmg ").strip()
    unit = value[len(digits) :].strip()
    if not digits.isdigit() or unit not in _UNITS:
        raise SettingError(f"{name} is {value!r}; expected a size such as 2GB or 500MB.")
    return int(digits) * _UNITS[unit]


def refuse(unsafe: bool, why: str) -> None:
    """Stop the start when settings that are each right make no sense together."""
    if unsafe:
        raise SettingError(why)


def load_file(path: Path) -> None:
    """Take NAME=value lines of `path` for names that the environment does not set; a missing file is no error.

    The launcher of `make run` writes this file, so that `manage.py` typed by hand finds the same services.
    """
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        name, found, value = line.partition("=")
        if found and not line.startswith("#") and not os.environ.get(name) and not os.environ.get(f"{name}_FILE"):
            os.environ[name] = value


# A PostgreSQL that is gone without a word is given up within half a minute: TCP alone waits for a quarter of an hour.
PATIENCE = {
    "connect_timeout": "5",  # seconds, for each address of the host
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",  # milliseconds that something sent is not acknowledged
}


def database(name: str, *, pool: int = 0) -> dict[str, object]:
    """Django's database settings from a URL such as `postgresql://user:password@host:5432/name`.

    A unix socket folder is given as `?host=/folder`; other query parameters go to libpq unchanged, and count before
    our PATIENCE. With `pool`, the threads of a process share at most so many connections, and wait up to ten seconds
    for one.
    """
    url = urlsplit(secret(name))
    if url.scheme not in {"postgresql", "postgres"} or not url.path.strip("/"):
        raise SettingError(f"{name} must look like postgresql://user:password@host:5432/name.")
    options: dict[str, Any] = PATIENCE | dict(parse_qsl(url.query))
    host, port = options.pop("host", url.hostname or ""), str(options.pop("port", url.port or ""))
    user = options.pop("user", unquote(url.username or ""))
    password = options.pop("password", unquote(url.password or ""))
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.strip("/")),
        "USER": user,
        "PASSWORD": password,
        "HOST": host,
        "PORT": port,
        "OPTIONS": options,
    }
