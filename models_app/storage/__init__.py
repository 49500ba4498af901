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
    StoreFull,
    TooLarge,
)

__all__ = ["ArtifactMissing", "ArtifactStore", "Readable", "Staged", "StoreFull", "Stored", "TooLarge", "store"]


def store() -> ArtifactStore:
    """The store of this installation."""
    return _local(settings.ARTIFACTS_DIR)


@cache
def _local(folder: Path) -> LocalStore:
    return LocalStore(folder)
