"""An assistant's training data: its files, and its revisions."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Field, Path, Query, Router, Schema

from models_app.api.facts import as_file, epoch
from models_app.data.diff import compare
from models_app.data.packing import zipped
from models_app.data_loaders import Data, load_data
from models_app.models import Revision
from studio.web.api.paging import Paging, page

router = Router(tags=["data"])


class FileOut(Schema):
    path: str
    size: int
    sha256: str


class RevisionOut(Schema):
    """Two revisions of the same data have the same `digest`."""

    number: int
    message: str
    author: str
    created_at: float
    digest: str


class DataOut(Schema):
    """`number` is null before the first revision. `files` are those that the token may see."""

    number: int | None
    message: str
    author: str
    created_at: float | None
    digest: str
    files: list[FileOut]


class ChangeOut(Schema):
    """`change` is added, removed or changed; lines are 0 in a file too large to be compared."""

    path: str
    change: str
    lines_added: int
    lines_removed: int


class Looked(Schema):
    revision: int | None = Field(None, description="The newest when left out.")


@router.get("/projects/{slug}/data", summary="The newest training data", url_name="data", response=DataOut)
def newest(request: HttpRequest, slug: Path[str], looked: Query[Looked]) -> dict[str, object]:
    data = load_data(request, slug, looked.revision)
    return files_in(data)


@router.get("/projects/{slug}/data/revisions", summary="Revisions", url_name="revisions", response=list[RevisionOut])
def revisions(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """The newest first."""
    rows = load_data(request, slug).assistant.revisions.all()
    return [facts_of(row) for row in page(request, response, rows, paging)]


@router.get("/projects/{slug}/data/revisions/{number}", summary="One revision", url_name="revision", response=DataOut)
def revision(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, object]:
    return files_in(load_data(request, slug, number))


class Compared(Schema):
    since: int | None = Field(None, description="The revision to compare with; the one before when left out.")


@router.get(
    "/projects/{slug}/data/revisions/{number}/changes",
    summary="What a revision changed",
    url_name="revision-changes",
    response=list[ChangeOut],
)
def changes(request: HttpRequest, slug: Path[str], number: Path[int], compared: Query[Compared]) -> list[object]:
    data = load_data(request, slug, number)
    if compared.since is not None:
        before = load_data(request, slug, compared.since).revision
    else:
        before = data.assistant.revisions.filter(number__lt=number).first()
    return difference(data.files(before), data.files(data.revision))


@router.get(
    "/projects/{slug}/data/files/{path:path}",
    summary="One file",
    url_name="data-file",
    response={200: None},
    openapi_extra=as_file("application/octet-stream", "The file, byte for byte."),
)
def file(request: HttpRequest, slug: Path[str], path: Path[str], looked: Query[Looked]) -> HttpResponse:
    content = load_data(request, slug, looked.revision).file(path)
    return HttpResponse(content, content_type="application/octet-stream")


@router.get(
    "/projects/{slug}/data/archive",
    summary="All files as a zip",
    url_name="data-archive",
    response={200: None},
    openapi_extra=as_file("application/zip", "A zip of one folder."),
)
def archive(request: HttpRequest, slug: Path[str], looked: Query[Looked]) -> StreamingHttpResponse:
    """Of the files that the token may see. It can be sent back as it is."""
    data = load_data(request, slug, looked.revision)
    name = f"{slug}-revision-{data.revision.number}" if data.revision else slug
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    packed = zipped(name, data.files(data.revision))
    return StreamingHttpResponse(packed, content_type="application/zip", headers=headers)


# --- Facts --------------------------------------------------------------------------------------------------------


def facts_of(row: Revision) -> dict[str, object]:
    return {
        "number": row.number,
        "message": row.message,
        "author": row.author_label,
        "created_at": epoch(row.created_at),
        "digest": bytes(row.digest).hex(),
    }


def files_in(data: Data) -> dict[str, object]:
    if data.revision is None:
        return {"number": None, "message": "", "author": "", "created_at": None, "digest": "", "files": []}
    rows = [
        (path, bytes(sha256), size)
        for path, sha256, size in data.revision.files.order_by("path").values_list("path", "blob_id", "blob__size")
    ]
    seen = data.seen({(path, sha256) for path, sha256, _size in rows})
    files = [
        {"path": path, "size": size, "sha256": sha256.hex()} for path, sha256, size in rows if (path, sha256) in seen
    ]
    return {**facts_of(data.revision), "files": files}


def difference(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[object]:
    return [
        {"path": one.path, "change": one.change, "lines_added": one.added, "lines_removed": one.removed}
        for one in compare(old, new)
    ]
