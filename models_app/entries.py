"""The files of a revision as lists show them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, Window
from django.db.models.functions import Lag

from models_app.data.outline import Outline, outline
from models_app.models import Blob, Revision, RevisionFile

REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class LastChange:
    number: int
    at: datetime
    author: str


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    size: int
    outline: Outline
    last: LastChange | None

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


FileKey = tuple[str, bytes]  # a path and the hash of its content

_outlines: dict[FileKey, Outline] = {}  # contents never change, so neither do these


def entries_of(revision: Revision) -> list[Entry]:
    rows = list(revision.files.order_by("path").values_list("path", "blob_id", "blob__size"))
    keys = [(path, bytes(sha256)) for path, sha256, _ in rows]
    outlines = outlines_of(keys)
    changes = last_changes(revision.assistant_id, revision.number)
    return [
        Entry(path, size, outlines[key], changes.get(path)) for key, (path, _, size) in zip(keys, rows, strict=True)
    ]


def outlines_of(keys: Collection[FileKey]) -> Mapping[FileKey, Outline]:
    missing = [key for key in keys if key not in _outlines]
    if len(_outlines) + len(missing) > REMEMBERED:
        _outlines.clear()
        missing = list(keys)
    contents = {bytes(blob.sha256): bytes(blob.content) for blob in Blob.objects.filter(pk__in={k[1] for k in missing})}
    for path, sha256 in missing:
        _outlines[path, sha256] = outline(path, contents[sha256])
    return {key: _outlines[key] for key in keys}


def last_changes(assistant_id: int, number: int) -> dict[str, LastChange]:
    """For each path the newest revision up to `number` that has it other than the revision before it had."""
    before = Window(Lag("blob_id"), partition_by=F("path"), order_by=F("revision__number").asc())
    changed = (
        RevisionFile.objects.filter(revision__assistant=assistant_id, revision__number__lte=number)
        .annotate(before=before)
        .filter(Q(before=None) | ~Q(before=F("blob_id")))
        .order_by("revision__number")
        .values_list("path", "revision__number", "revision__created_at", "revision__author_label")
    )
    return {path: LastChange(number, at, author) for path, number, at, author in changed}
