"""Key pairs and the short-lived tokens with which we talk over Rasa's `rasa` channel.

Rasa answers 500 to a token with `aud`, and to one whose `iat` or `nbf` its clock has not reached yet, so a token holds
`username`, `scopes` and `exp` and nothing more.
"""

import time
from dataclasses import dataclass
from functools import lru_cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHM = "RS256"
LONGEST_SECONDS = 60
ANY_CONVERSATION = "clientEvents:create"  # what Rasa asks of a user who speaks in a conversation not named like them


@dataclass(frozen=True)
class KeyPair:
    private_pem: str
    public_pem: str


def generate_key_pair() -> KeyPair:
    """A new RSA key of 2048 bits, as PEM texts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


def published_keys(public_pem: str) -> dict[str, list[dict[str, str]]]:
    """What Rasa reads from `<url of the channel>/version`; it uses the first key alone."""
    return {"keys": [{"alg": ALGORITHM, "key": public_pem}]}


def chat_token(
    private_pem: str, username: str, *, any_conversation: bool = False, seconds: int = LONGEST_SECONDS
) -> str:
    """A token that says who speaks. With `any_conversation` its user may speak in conversations of other names."""
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"a chat token lives at most {LONGEST_SECONDS} seconds")
    scopes = [ANY_CONVERSATION] if any_conversation else []
    claims = {"username": username, "scopes": scopes, "exp": int(time.time()) + seconds}
    return jwt.encode(claims, _private_key(private_pem), algorithm=ALGORITHM)


@lru_cache(maxsize=128)
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    """Read once in each process, and used for every message."""
    # Checking the primes would take 100 ms, and the key is one that we made.
    key = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
