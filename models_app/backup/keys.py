"""Whether the keys of an installation are those of a backup, which never holds them.

A backup keeps a known word encrypted with each key, and one signed with the other: who has the keys can tell, who has
the backup alone can make nothing of it.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from studio.crypto import keyed_digest

WORD = "a backup of Parley"


def proofs() -> dict[str, Any]:
    return {
        "secret_key": keyed_digest("backup", WORD).hex(),
        "encryption_keys": [Fernet(key).encrypt(WORD.encode()).decode() for key in settings.ENCRYPTION_KEYS],
    }


def misfits(found: Mapping[str, Any]) -> list[str]:
    """What is wrong with the keys of this installation for a backup with these proofs; a sentence each."""
    said = []
    if not hmac.compare_digest(found["secret_key"], keyed_digest("backup", WORD).hex()):
        said.append(
            "PARLEY_SECRET_KEY is another: conversations are known by a digest that it makes, so that later events of "
            "the same people would make new ones, and deletions would not find them."
        )
    closed = sum(not _opens(token) for token in found["encryption_keys"])
    if closed:
        said.append(
            f"PARLEY_ENCRYPTION_KEYS lacks {closed} of {len(found['encryption_keys'])} keys: stored secrets (tokens of "
            "Rasa servers, keys of environments, passwords of Kafka) could not be read, and would have to be entered "
            "and made anew."
        )
    return said


def _opens(token: str) -> bool:
    return any(_opened_by(key, token) for key in settings.ENCRYPTION_KEYS)


def _opened_by(key: str, token: str) -> bool:
    try:
        Fernet(key).decrypt(token.encode())
    except InvalidToken:
        return False
    return True
