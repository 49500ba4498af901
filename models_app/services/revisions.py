"""The only writer of revisions: immutable snapshots of an assistant's training data."""

import hashlib
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.db import transaction

from models_app.models import Assistant, Blob, Revision, RevisionFile
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

MAX_FILES = 2_000


class NewerRevision(Conflict):
    """Somebody saved meanwhile; `newest` is the revision to compare with, nothing was written."""

    code = "newer-revision"

    def __init__(self, newest: Revision) -> None:
        super().__init__(f"{newest.author_label} saved revision {newest.number} while you were editing.")
        self.newest = newest


def newest_revision(assistant: Assistant) -> Revision | None:
    return Revision.objects.filter(assistant=assistant).order_by("-number").first()


def files_of(revision: Revision) -> dict[str, bytes]:
    """Path to content of every file."""
    rows = revision.files.select_related("blob").order_by("path")
    return {row.path: bytes(row.blob.content) for row in rows}


def file_of(revision: Revision, path: str) -> bytes | None:
    row = revision.files.select_related("blob").filter(path=path).first()
    return None if row is None else bytes(row.blob.content)


@transaction.atomic
def save_revision(
    *,
    actor: User | None,
    assistant: Assistant,
    files: dict[str, bytes],
    message: str,
    parent_number: int | None,
    author_label: str = "",
) -> Revision:
    """Keep `files` as the next revision. `parent_number` is the one the author began from, None for the first.

    Raises NewerRevision when it is not the newest any more. Equal data makes no new revision: the newest is returned.
    """
    _refuse_bad_paths(files)
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    newest = newest_revision(assistant)
    if newest is not None and newest.number != parent_number:
        raise NewerRevision(newest)
    hashes = {path: hashlib.sha256(content).digest() for path, content in files.items()}
    digest = _digest(hashes)
    if newest is not None and bytes(newest.digest) == digest:
        return newest
    revision = Revision.objects.create(
        assistant=assistant,
        number=1 if newest is None else newest.number + 1,
        parent=newest,
        digest=digest,
        message=message[:300],
        author=actor,
        author_label=author_label or (actor.username if actor else "Parley"),
    )
    _write_files(revision, files, hashes)
    after = {"number": revision.number, "files": len(files)}
    record(actor, Action.REVISION_CREATED, revision, assistant_id=assistant.pk, after=after, reason=message)
    return revision


def _refuse_bad_paths(files: dict[str, bytes]) -> None:
    if not files:
        raise Invalid("A project needs at least one file.")
    if len(files) > MAX_FILES:
        raise Invalid(f"A project may have at most {MAX_FILES} files; this one has {len(files)}.")
    if sum(map(len, files.values())) > settings.MAX_DATA_BYTES:
        raise Invalid(f"A project may have at most {settings.MAX_DATA_BYTES // 1024**2} MB of training data.")
    for path in files:
        pure = PurePosixPath(path)
        bad = not path or pure.is_absolute() or ".." in pure.parts or str(pure) != path or "\\" in path or "\0" in path
        if bad or len(path) > 500:
            raise Invalid(f"“{path[:80]}” is not a usable file path.")


def _digest(hashes: dict[str, bytes]) -> bytes:
    """Equal paths and contents give an equal digest, whatever their order."""
    whole = hashlib.sha256()
    for path in sorted(hashes):
        whole.update(path.encode() + b"\0" + hashes[path])
    return whole.digest()


def _write_files(revision: Revision, files: dict[str, bytes], hashes: dict[str, bytes]) -> None:
    unique = {hashes[path]: content for path, content in files.items()}
    # Ordered, so that two saves of overlapping contents lock their rows in the same order.
    blobs = [Blob(sha256=key, size=len(unique[key]), content=unique[key]) for key in sorted(unique)]
    Blob.objects.bulk_create(blobs, ignore_conflicts=True)
    RevisionFile.objects.bulk_create(
        RevisionFile(revision=revision, path=path, blob_id=hashes[path]) for path in sorted(files)
    )


def changed_paths(old: Revision | None, new: Revision) -> list[str]:
    """Paths added, removed or changed from `old` to `new`; all of them when there is no `old`."""
    files = RevisionFile.objects.filter(revision__in=[one for one in (old, new) if one is not None])
    found: dict[int, dict[str, bytes]] = {new.pk: {}}
    for revision_id, path, blob_id in files.values_list("revision_id", "path", "blob_id"):
        found.setdefault(revision_id, {})[path] = bytes(blob_id)
    before, after = found.get(old.pk, {}) if old is not None else {}, found[new.pk]
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Lay the files out below `folder`, which must be ours and empty."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
