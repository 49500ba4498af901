"""Where the bytes of model archives are kept, by the SHA-256 of their content."""

from functools import cache
from pathlib import Path

from django.conf import settings

from models_app.storage.local import LocalStore
from models_app.storage.protocol import (
    ArtifactMissing,
    ArtifactStore,
    Readable,
    Staged,
    Stored,
    StoreFailed,
    StoreFull,
    TooLarge,
)

__all__ = [
    "ArtifactMissing",
    "ArtifactStore",
    "Readable",
    "Staged",
    "StoreFailed",
    "StoreFull",
    "Stored",
    "TooLarge",
    "store",
]


def store() -> ArtifactStore:
    """The store of this installation."""
    if not settings.S3_BUCKET:
        return _local(settings.ARTIFACTS_DIR)
    return _s3(
        settings.ARTIFACTS_DIR / "incoming",
        settings.S3_BUCKET,
        settings.S3_PREFIX,
        settings.S3_ENDPOINT,
        settings.S3_REGION,
        settings.S3_ACCESS_KEY_ID,
        settings.S3_SECRET_ACCESS_KEY,
    )


@cache
def _local(folder: Path) -> LocalStore:
    return LocalStore(folder)


@cache
def _s3(
    incoming: Path, bucket: str, prefix: str, endpoint: str | None, region: str, access_key: str, secret_key: str
) -> ArtifactStore:
    """boto3 is imported where it is needed: it would cost every process of others 20 MB."""
    from models_app.storage.s3 import S3Store
    from models_app.storage.s3_client import Place

    return S3Store(Place(bucket, prefix, endpoint, region, access_key, secret_key), incoming)
