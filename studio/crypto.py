"""Secrets at rest: encrypted with the first of PARLEY_ENCRYPTION_KEYS, readable with any, so that keys rotate."""

import hashlib
import hmac
from functools import cache

from cryptography.fernet import Fernet as _Fernet
from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@cache
def _keys(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([_Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "PARLEY_ENCRYPTION_KEYS must hold one or more Fernet keys (32 bytes, url-safe base64), comma-separated."
        ) from error


def encrypt(text: str) -> bytes:
    """`text` as a token that only our keys open; the empty string stays empty."""
    return _keys(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()) if text else b""


def decrypt(token: bytes | memoryview) -> str:
    """What `encrypt` was given. ImproperlyConfigured when no configured key opens it."""
    if not token:
        return ""
    try:
        return _keys(tuple(settings.ENCRYPTION_KEYS)).decrypt(bytes(token)).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A stored secret cannot be opened: PARLEY_ENCRYPTION_KEYS misses its key."
        ) from error


def is_current(token: bytes | memoryview) -> bool:
    """Whether the first key opens it; the empty one needs none."""
    if not token:
        return True
    try:
        _keys(tuple(settings.ENCRYPTION_KEYS[:1])).decrypt(bytes(token))
    except InvalidToken:
        return False
    return True


def is_readable(token: bytes | memoryview) -> bool:
    """Whether any of our keys opens it; the empty one needs none."""
    try:
        decrypt(token)
    except ImproperlyConfigured:
        return False
    return True


def digest(secret: str) -> bytes:
    """32 bytes that find a high-entropy secret again without storing it (SHA-256)."""
    return hashlib.sha256(secret.encode()).digest()


def keyed_digest(purpose: str, text: str) -> bytes:
    """HMAC-SHA256 of low-entropy text such as a sender id, under a key derived for `purpose` from the SECRET_KEY."""
    key = hashlib.sha256(f"parley:{purpose}:{settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
