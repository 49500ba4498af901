"""A model's archive out of the artifact store, whole or not at all."""

import hashlib
from functools import partial
from pathlib import Path

from models_app.models import Model
from models_app.storage import ArtifactMissing, store
from studio.web.streaming import Source

_PIECE = 1024 * 1024


class NoArchive(Exception):
    """The store has not what the model's row names; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def source_of(model: Model) -> Source:
    """What `stream` sends of it. Opening it raises ArtifactMissing, StoreFailed."""
    return Source(partial(store().open, model.artifact_id), model.size, model.etag)


def headers_of(model: Model) -> dict[str, str]:
    """What tells a downloaded archive from others."""
    return {
        "Content-Disposition": f'attachment; filename="{model.file_name}"',
        "X-Checksum-SHA256": model.artifact_id,
    }


def fetch_archive(model: Model, target: Path) -> None:
    """Copy it to `target` and check its SHA-256. Raises NoArchive, StoreFailed when the store is away, OSError."""
    digest = hashlib.sha256()
    try:
        with store().open(model.artifact_id) as source, target.open("wb") as copy:
            while piece := source.read(_PIECE):
                digest.update(piece)
                copy.write(piece)
    except ArtifactMissing:
        raise NoArchive(
            f"The archive of {model.name} is not in the artifact store. Upload it again under the same name, or train "
            "anew."
        ) from None
    found = digest.hexdigest()
    if found != model.artifact_id:
        raise NoArchive(
            f"The archive of {model.name} is damaged in the artifact store: its SHA-256 is {found[:12]}…, not "
            f"{model.artifact_id[:12]}…. Upload it again, or train anew."
        )
