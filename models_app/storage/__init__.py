"""Where the bytes of model archives are kept, by the SHA-256 of their content."""

from functools import cache
from pathlib import Path

from django.conf import settings

from models_app.storage.local import LocalStore
from models_app.storage.moving import MovingStore
from models_app.storage.protocol import (
    ArtifactMissing,
    ArtifactStore,
    Staged,
    Stored,
    StoreFailed,
    StoreFull,
    TooLarge,
)

__all__ = [
    "ArtifactMissing",
    "ArtifactStore",
    "MovingStore",
    "Staged",
    "StoreFailed",
    "StoreFull",
    "Stored",
    "TooLarge",
    "store",
]

TO_S3, FROM_S3 = "to-s3", "from-s3"  # values of PARLEY_ARTIFACTS_MOVE


def store() -> ArtifactStore:
    """The store of this installation; two of them while artifacts move from one to the other."""
    if not settings.S3_BUCKET:
        return _folder(settings.ARTIFACTS_DIR)
    if settings.ARTIFACTS_MOVE:
        folder, bucket = _folder(settings.ARTIFACTS_DIR), _bucket()
        return MovingStore(bucket, folder) if settings.ARTIFACTS_MOVE == TO_S3 else MovingStore(folder, bucket)
    return _bucket()


def _bucket() -> ArtifactStore:
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
def _folder(folder: Path) -> LocalStore:
    return LocalStore(folder)


@cache
def _s3(
    incoming: Path, bucket: str, prefix: str, endpoint: str | None, region: str, access_key: str, secret_key: str
) -> ArtifactStore:
    """boto3 is imported where it is needed: it would cost every process of others 20 MB."""
    from models_app.storage.s3 import S3Store
    from models_app.storage.s3_client import Place

    return S3Store(Place(bucket, prefix, endpoint, region, access_key, secret_key), incoming)
