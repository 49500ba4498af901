"""What a backup says of itself."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from models_app.backup.errors import BackupRefused
from models_app.storage import Stored

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """`rows` are those of each table (`schema.table`) when the dump was made; `missing` are SHA-256 of artifacts that
    the store had lost by then."""

    made_at: str  # ISO 8601, UTC
    version: str  # of Parley
    server: int  # of PostgreSQL: 18
    made_by: int  # version of pg_dump: 18
    migrations: list[list[str]]  # [app, name], as the database had them
    keys: dict[str, Any]
    rows: dict[str, int]
    database: Stored
    artifacts: list[Stored]
    missing: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.database.size + sum(one.size for one in self.artifacts)

    def as_bytes(self) -> bytes:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()


def read_manifest(content: bytes | None, label: str) -> Manifest:
    """BackupRefused where there is none, or one of another form."""
    if content is None:
        raise BackupRefused(f"There is no whole backup at {label}: it has no manifest.json.")
    try:
        found: dict[str, Any] = json.loads(content)
        if found.pop("format") != FORMAT:
            raise BackupRefused(f"The backup at {label} was made by a newer Parley. Restore it with that version.")
        artifacts = [Stored(**one) for one in found.pop("artifacts")]
        return Manifest(database=Stored(**found.pop("database")), artifacts=artifacts, **found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupRefused(f"The manifest.json at {label} is damaged: {error}") from error
