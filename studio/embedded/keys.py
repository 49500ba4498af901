"""Secrets that an installation makes for itself, each in a file of its own that only its owner can read."""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from studio.embedded.folders import write_private


def kept(folder: Path, name: str, make: Callable[[], str]) -> str:
    """The secret `name` of `folder`, made by `make` the first time and the same ever after."""
    path = folder / name
    if not path.is_file():
        write_private(path, f"{make()}\n")
    return path.read_text().strip()


def password() -> str:
    """256 random bits in letters that need no escaping in URLs, YAML or shell."""
    return secrets.token_hex(32)


def encryption_key() -> str:
    """A key as Fernet wants it: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
