"""Uploads that go on after a cut connection."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Header, Path, Router, Schema, Status
from pydantic import BaseModel

from models_app.api.archives import RAW_UPLOAD
from models_app.api.facts import address_of
from models_app.api.models import UploadedOut, uploaded
from models_app.loaders import load_assistant
from models_app.models import Assistant
from models_app.receiving import receiving
from models_app.services import uploads
from models_app.services.uploads import Upload, begin_upload, receive, upload_of
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import Invalid

router = Router(tags=["models"])


class NewUpload(BaseModel):
    """`name` is that of the file, with `.tar.gz`. Who does not know its SHA-256 yet says a `key` instead: anything that
    tells these bytes from others of the same name and size."""

    name: str = Field(max_length=207)
    size: int = Field(ge=1, le=10**15)
    sha256: str = Field("", pattern=r"^([0-9a-fA-F]{64})?$")
    key: str = Field("", max_length=100)


class UploadOut(Schema):
    """`offset` is how many bytes have arrived: go on from there."""

    id: str
    name: str
    size: int
    sha256: str
    offset: int
    expires_at: float
    url: str


@router.post("/projects/{slug}/uploads", summary="Begin an upload", url_name="uploads", response={201: UploadOut})
def begin(request: HttpRequest, response: HttpResponse, slug: Path[str], body: NewUpload) -> Status[dict[str, object]]:
    """Whoever begins the same again goes on where it broke off."""
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    user = signed_in(request)
    upload = begin_upload(
        actor=user, assistant=assistant, file_name=body.name, size=body.size, sha256=body.sha256, key=body.key
    )
    facts = _facts(slug, upload)
    response["Location"] = str(facts["url"])
    return Status(201, facts)


@router.get("/projects/{slug}/uploads/{upload}", summary="An upload", url_name="upload", response=UploadOut)
def one(request: HttpRequest, slug: Path[str], upload: Path[str]) -> dict[str, object]:
    _assistant, found = _load(request, slug, upload)
    return _facts(slug, found)


@router.patch(
    "/projects/{slug}/uploads/{upload}",
    summary="Go on with an upload",
    url_name="upload",
    response={200: UploadedOut | UploadOut, 201: UploadedOut},
    openapi_extra=RAW_UPLOAD,
)
def go_on(
    request: HttpRequest, slug: Path[str], upload: Path[str], upload_offset: Header[int | None] = None
) -> Status[dict[str, object]]:
    """The body is what follows from `Upload-Offset` on, as much of it as one likes. 409 with `details.offset` when
    another number of bytes has arrived. With the last byte it becomes a model: 201, or 200 when there was one."""
    assistant, found = _load(request, slug, upload)
    if upload_offset is None:
        raise Invalid("Say in the header Upload-Offset at which byte the body begins.")
    with receiving(request, settings.MAX_MODEL_BYTES) as body:
        user, whole = signed_in(request), upload_offset == 0 and body.length == found.size
        added = receive(actor=user, assistant=assistant, upload=found, source=body, offset=upload_offset, whole=whole)
    return Status(200, _facts(slug, found)) if added is None else uploaded(request, added)


@router.delete(
    "/projects/{slug}/uploads/{upload}", summary="Give an upload up", url_name="upload", response={204: None}
)
def give_up(request: HttpRequest, slug: Path[str], upload: Path[str]) -> Status[None]:
    """409 while another request brings it."""
    _assistant, found = _load(request, slug, upload)
    uploads.give_up(found)
    return Status(204, None)


def _load(request: HttpRequest, slug: str, upload_id: str) -> tuple[Assistant, Upload]:
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    upload = upload_of(assistant, signed_in(request), upload_id)
    if upload is None:
        raise Http404("There is no such upload of yours, or it is older than a day. Begin it again.")
    return assistant, upload


def _facts(slug: str, upload: Upload) -> dict[str, object]:
    upload_id = upload.id
    return {
        "id": upload_id,
        "name": upload.file_name,
        "size": upload.size,
        "sha256": upload.sha256,
        "offset": upload.offset,
        "expires_at": upload.expires_at,
        "url": address_of("upload", slug, upload_id),
    }
