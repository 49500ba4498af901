"""Addresses of sites that may embed a link's chat. Pure."""

import re
from urllib.parse import urlsplit

from studio.errors import Invalid

MOST_ORIGINS = 20
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*|\[[0-9a-f:.]+\]")
_AT_HOME = {"localhost", "127.0.0.1", "[::1]"}


def origins_in(text: str) -> list[str]:
    """One on a line, as browsers write them: `https://www.example.org`, `http://localhost:3000`. Raises Invalid."""
    found = dict.fromkeys(_origin(line.strip()) for line in text.splitlines() if line.strip())
    if len(found) > MOST_ORIGINS:
        raise Invalid(f"At most {MOST_ORIGINS} sites can embed one link.", field="origins")
    return list(found)


def _origin(typed: str) -> str:
    scheme, host, port = _parts(typed)
    if not _HOST.fullmatch(host):
        raise Invalid(
            f"{typed} is no exact address. Write each site whole, such as https://www.example.org.", field="origins"
        )
    if scheme == "http" and host not in _AT_HOME:
        raise Invalid(f"{typed} is not encrypted. Only https is allowed, and http on localhost.", field="origins")
    is_usual = port in (None, 443 if scheme == "https" else 80)
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{port}"


def _parts(typed: str) -> tuple[str, str, int | None]:
    wrong = Invalid(
        f"{typed} is not the address of a site: https:// and its name, without anything after it.", field="origins"
    )
    try:
        parts = urlsplit(typed.lower())
        port = parts.port
    except ValueError:
        raise wrong from None
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("https", "http") or not parts.hostname or has_more:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, host, port
