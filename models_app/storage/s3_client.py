"""How S3 is asked: where it is, how long it is waited for, and what its refusals mean in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import boto3
import structlog
from botocore import exceptions as boto
from botocore.config import Config

from models_app.storage.protocol import ArtifactMissing, StoreFailed, StoreFull

log = structlog.get_logger()

CONNECTIONS = 64  # kept open by one process; more than so many at once make their own


@dataclass(frozen=True, slots=True)
class Purpose:
    """What messages call a store, and where they say that it is mended."""

    store: str  # "artifact store"
    settings: str  # what the names of its settings begin with
    bucket: str  # where the bucket's name is from
    rights: str  # in the bucket
    holds: str  # "models"


ARTIFACTS = Purpose(
    "artifact store", "PARLEY_S3", "PARLEY_S3_BUCKET", "list it, and to read, write and delete", "models"
)
BACKUP = Purpose(
    "backup's store", "PARLEY_BACKUP_S3", "the name after s3://", "list it, and to read and write", "backups"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and the keys in it that begin with `prefix`. Without an access key boto3 looks for one by itself."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = ""
    purpose: Purpose = ARTIFACTS


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to connect, seconds between two bytes of an answer, and how often a request is tried in all."""

    connect: float
    read: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Patiences:
    """Somebody waits for what is read and asked; a large upload is put together at its end, which takes a while."""

    reading: Patience = Patience(5, 20, 2)
    writing: Patience = Patience(5, 120, 4)
    asking: Patience = Patience(2, 4, 1)


def client(place: Place, patience: Patience) -> Any:
    """The S3 client, safe for many threads. A forked process makes its own: it must not use its parent's sockets."""
    return _client(place, patience, os.getpid())


@cache
def _client(place: Place, patience: Patience, _process: int) -> Any:
    config = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        # Servers of one's own seldom have a name for each bucket.
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        # We send SHA-256 ourselves, and hash what we read: the name of an object is the hash of its bytes.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=place.endpoint,
        region_name=place.region,
        aws_access_key_id=place.access_key or None,
        aws_secret_access_key=place.secret_key or None,
        config=config,
    )


# --- What went wrong --------------------------------------------------------------------------------------------------

BUCKET = "The bucket of the {store} does not exist: check {bucket} and {settings}_ENDPOINT, or make it."
WRONG_KEY = "The {store} does not take the access key: check {settings}_ACCESS_KEY_ID and {settings}_SECRET_ACCESS_KEY."
NO_KEY = "There is no access key for the {store}: set {settings}_ACCESS_KEY_ID and {settings}_SECRET_ACCESS_KEY."
FORBIDDEN = "The access key of the {store} has not all rights in the bucket: it has to {rights} objects in it."
REGION = "The bucket of the {store} lies in another region: check {settings}_REGION."
CLOCK = "The clocks of this machine and of the {store} differ by more than 15 minutes."
UNREACHABLE = "The {store} cannot be reached: check {settings}_ENDPOINT, and whether it runs."
TLS = "The certificate of the {store} is not one that this machine trusts."
SLOW = "The {store} does not answer in time. Try again later."
BUSY = "The {store} has a problem or too much to do. Try again later."
CUT = "The connection to the {store} broke in the middle, several times. Try again later."
DAMAGED = "A file arrived damaged between here and the {store}: its SHA-256 is another. Try again."
REFUSED = "The {store} refuses a request: {word}."

_WORDS = {
    "NoSuchBucket": ("store-bucket", BUCKET),
    "InvalidBucketName": ("store-bucket", BUCKET),
    "InvalidAccessKeyId": ("store-key", WRONG_KEY),
    "XAdminUserNotFound": ("store-key", WRONG_KEY),  # versitygw's word
    "SignatureDoesNotMatch": ("store-key", WRONG_KEY),
    "InvalidToken": ("store-key", WRONG_KEY),
    "ExpiredToken": ("store-key", WRONG_KEY),
    "AccessDenied": ("store-forbidden", FORBIDDEN),
    "403": ("store-forbidden", FORBIDDEN),
    "AuthorizationHeaderMalformed": ("store-region", REGION),
    "PermanentRedirect": ("store-region", REGION),
    "IllegalLocationConstraintException": ("store-region", REGION),
    "301": ("store-region", REGION),
    "RequestTimeTooSkewed": ("store-clock", CLOCK),
    "RequestTimeout": ("store-slow", SLOW),
    "BadDigest": ("store-damaged", DAMAGED),
    "InvalidDigest": ("store-damaged", DAMAGED),
    "XAmzContentSHA256Mismatch": ("store-damaged", DAMAGED),
    "XAmzContentChecksumMismatch": ("store-damaged", DAMAGED),
    "IncompleteBody": ("store-cut", CUT),
}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage", "507"}
# The first that fits counts.
_CLIENT_ERRORS: list[tuple[type[Exception], str, str]] = [
    (boto.NoCredentialsError, "store-key", NO_KEY),
    (boto.PartialCredentialsError, "store-key", NO_KEY),
    (boto.CredentialRetrievalError, "store-key", NO_KEY),
    (boto.ReadTimeoutError, "store-slow", SLOW),
    (boto.ConnectTimeoutError, "store-unreachable", UNREACHABLE),
    (boto.SSLError, "store-certificate", TLS),
    (boto.ConnectionClosedError, "store-cut", CUT),
    (boto.ResponseStreamingError, "store-cut", CUT),
    (boto.IncompleteReadError, "store-cut", CUT),
    (boto.ConnectionError, "store-unreachable", UNREACHABLE),
    (boto.ParamValidationError, "store-bucket", BUCKET),  # a name that no bucket can have
]


def word_of(error: boto.ClientError) -> str:
    """S3's word for it; the HTTP status where there is no word, as in the answer to a HEAD."""
    return str(error.response.get("Error", {}).get("Code", ""))


def failed(place: Place, message: str, code: str, **words: str) -> StoreFailed:
    """One of the messages above, said of that place."""
    return StoreFailed(message.format(**asdict(place.purpose), **words), code=code)


@contextmanager
def in_words(place: Place, sha256: str = "") -> Iterator[None]:
    """Raise StoreFailed for what boto3 raises, and ArtifactMissing where S3 says that there is no such object."""
    try:
        yield
    except boto.ClientError as error:
        if word_of(error) == "NoSuchKey":
            raise ArtifactMissing(sha256) from None
        log.warning(f"{place.purpose.store} refused", operation=error.operation_name, error=str(error), sha256=sha256)
        raise _refusal(place, error) from error
    except boto.BotoCoreError as error:
        log.warning(f"{place.purpose.store} failed", error=str(error), sha256=sha256)
        raise _failure(place, error) from error


def _refusal(place: Place, error: boto.ClientError) -> StoreFailed:
    word, status = word_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if word in _FULL or status == 507:
        return StoreFull(place.purpose.store, place.purpose.holds)
    if word in _WORDS:
        kind, message = _WORDS[word]
        return failed(place, message, kind)
    if status >= 500 or word in {"SlowDown", "Throttling", "RequestLimitExceeded"}:
        return failed(place, BUSY, "store-busy")
    return failed(place, REFUSED, "store-refused", word=word)


def _failure(place: Place, error: boto.BotoCoreError) -> StoreFailed:
    for kind, code, message in _CLIENT_ERRORS:
        if isinstance(error, kind):
            return failed(place, message, code)
    return failed(place, UNREACHABLE, "store-unreachable")
