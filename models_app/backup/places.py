"""Where a backup lies: a folder, or the keys of a bucket that begin with a prefix (`s3://bucket/prefix`)."""

import os
from pathlib import Path
from typing import Literal, Protocol

from django.conf import settings

from models_app.backup.errors import BackupRefused
from models_app.storage import ArtifactStore
from models_app.storage.local import LocalStore, sync_folder

MANIFEST = "manifest.json"
PARTS = "parts"
S3 = "s3://"


class Place(Protocol):
    """One backup, whole or begun."""

    @property
    def label(self) -> str: ...

    @property
    def parts(self) -> ArtifactStore:
        """All parts by their SHA-256."""
        ...

    def manifest(self) -> bytes | None:
        """None where no backup was finished."""
        ...

    def finish(self, manifest: bytes) -> None:
        """Write the manifest, durably; BackupRefused when there is one already."""
        ...

    def prepare(self) -> None:
        """Make what a new backup needs; BackupRefused where something lies that belongs to none."""
        ...


def place_at(address: str) -> Place:
    """BackupRefused when the address makes no sense."""
    if not address.startswith(S3):
        return FolderPlace(Path(address).absolute())
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    if not bucket or not prefix.strip("/"):
        raise BackupRefused(f"{address} must look like s3://bucket/name-of-the-backup.")
    from models_app.backup.bucket import BucketPlace  # boto3 is imported where it is needed
    from models_app.storage.s3_client import BACKUP
    from models_app.storage.s3_client import Place as S3Place

    return BucketPlace(
        S3Place(
            bucket,
            prefix.strip("/"),
            settings.BACKUP_S3_ENDPOINT,
            settings.BACKUP_S3_REGION,
            settings.BACKUP_S3_ACCESS_KEY_ID,
            settings.BACKUP_S3_SECRET_ACCESS_KEY,
            BACKUP,
        )
    )


def refuse_strangers(names: list[str], label: str) -> None:
    if names:
        raise BackupRefused(f"There are other things at {label}: {', '.join(names[:3])}. Name an empty place.")


class FolderPlace:
    """Nobody else may enter it: the dump holds what people wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = LocalStore(folder / PARTS)

    @property
    def label(self) -> str:
        return f"folder {self.folder}"

    def manifest(self) -> bytes | None:
        path = self.folder / MANIFEST
        return path.read_bytes() if path.is_file() else None

    def prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [path.name for path in sorted(self.folder.iterdir())]
        except OSError as error:
            raise BackupRefused(f"{self.folder} cannot be used: {error.strerror}.") from error
        refuse_strangers([name for name in names if name not in {PARTS, MANIFEST, f"{MANIFEST}.new"}], self.label)

    def finish(self, manifest: bytes) -> None:
        """Under another name first: one cut short is none."""
        unfinished, target = self.folder / f"{MANIFEST}.new", self.folder / MANIFEST
        try:
            _write(unfinished, "wb", manifest)
            _name(unfinished, target, manifest)
            unfinished.unlink()
            sync_folder(self.folder)
        except FileExistsError:
            raise BackupRefused(f"Somebody else finished a backup in {self.folder} meanwhile.") from None
        except OSError as error:
            raise BackupRefused(f"The manifest cannot be written to {self.folder}: {error.strerror}.") from error
        incoming = self.folder / PARTS / "incoming"
        if incoming.is_dir() and not any(incoming.iterdir()):
            incoming.rmdir()


def _name(unfinished: Path, target: Path, content: bytes) -> None:
    """FileExistsError when there is one: a link, unlike a rename, replaces nothing."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _write(target, "xb", content)


def _write(path: Path, mode: Literal["wb", "xb"], content: bytes) -> None:
    with path.open(mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
