"""What a trained model's archive says about itself, read without unpacking it to disk.

Since 3.0 Rasa puts `metadata.json` into the archive's root; fields were added later (`assistant_id` in 3.5), so only
what every version writes is required. Rasa 2 wrote `fingerprint.json` instead.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.rasa.domain import DomainSummary, storable, summarize
from studio.rasa.tarball import ArchiveError, Limits, Tarball
from studio.readable import Readable

__all__ = ["ArchiveError", "ArchiveFacts", "Limits", "inspect"]

METADATA = "metadata.json"
LEGACY_FINGERPRINT = "fingerprint.json"
LEGACY_NLU = "nlu/metadata.json"
DESCRIPTIONS = frozenset({METADATA, LEGACY_FINGERPRINT, LEGACY_NLU})
TRAINING_TYPES = {1: "nlu", 2: "core", 3: "both", 4: "end-to-end"}  # rasa.shared.data.TrainingType


@dataclass(frozen=True)
class ArchiveFacts:
    trained_at: datetime  # aware, UTC
    rasa_open_source_version: str
    model_id: str | None
    assistant_id: str | None
    language: str | None
    project_fingerprint: str | None
    training_type: str | None  # one of the values of TRAINING_TYPES
    domain: DomainSummary
    unpacked_bytes: int
    members: int


def inspect(source: Readable | Path, limits: Limits | None = None) -> ArchiveFacts:
    """The facts of the model in `source`, which is read once and to its end. Raises `ArchiveError`."""
    opened: AbstractContextManager[Readable] = source.open("rb") if isinstance(source, Path) else nullcontext(source)
    with opened as stream:
        tarball = Tarball(stream, limits or Limits())
        texts = _descriptions(tarball)
    if METADATA in texts:
        return _facts(_json_object(METADATA, texts[METADATA]), tarball)
    if LEGACY_FINGERPRINT in texts:
        return _facts(_legacy_metadata(texts), tarball)
    raise ArchiveError(f"The archive has no {METADATA} in its root, so it is not a Rasa model.")


def _descriptions(tarball: Tarball) -> dict[str, bytes]:
    texts: dict[str, bytes] = {}
    for member in tarball:
        if not member.is_file or member.name not in DESCRIPTIONS:
            continue
        if member.name in texts:
            raise ArchiveError(f"The archive holds {member.name} twice.")
        texts[member.name] = tarball.read()
    return texts


def _facts(metadata: Mapping[str, Any], tarball: Tarball) -> ArchiveFacts:
    missing = [name for name in ("trained_at", "rasa_open_source_version", "domain") if metadata.get(name) is None]
    if missing:
        raise ArchiveError(f"The model's {METADATA} lacks {', '.join(missing)}.")
    version = _text(metadata, "rasa_open_source_version")
    if version is None:
        raise ArchiveError(f"The model's {METADATA} has no readable rasa_open_source_version.")
    return ArchiveFacts(
        trained_at=_moment(metadata["trained_at"]),
        rasa_open_source_version=version,
        model_id=_text(metadata, "model_id"),
        assistant_id=_text(metadata, "assistant_id"),
        language=_text(metadata, "language"),
        project_fingerprint=_text(metadata, "project_fingerprint"),
        training_type=_training_type(metadata.get("training_type")),
        domain=summarize(metadata["domain"]),
        unpacked_bytes=tarball.unpacked_bytes,
        members=tarball.members,
    )


def _json_object(name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"The model's {name} is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ArchiveError(f"The model's {name} is not a JSON object.")
    return value


def _legacy_metadata(texts: Mapping[str, bytes]) -> dict[str, Any]:
    """A Rasa 2 archive in the words of today's metadata. Such a model can be kept but no Rasa 3 loads it, so its
    domain, a YAML file of its own, is not worth reading."""
    fingerprint = _json_object(LEGACY_FINGERPRINT, texts[LEGACY_FINGERPRINT])
    nlu = _json_object(LEGACY_NLU, texts[LEGACY_NLU]) if LEGACY_NLU in texts else {}
    return {
        "trained_at": fingerprint.get("trained_at"),
        "rasa_open_source_version": fingerprint.get("version"),
        "language": nlu.get("language"),
        "domain": {},
    }


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    if not isinstance(value, str) or not value:
        return None
    return storable(value)[:200]


def _training_type(value: object) -> str | None:
    return TRAINING_TYPES.get(value) if isinstance(value, int) else None


def _moment(value: object) -> datetime:
    """Rasa 3 writes ISO 8601 in UTC without saying so, Rasa 2 seconds since 1970."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ArchiveError(f"The model's {METADATA} names no readable time of training.") from error
