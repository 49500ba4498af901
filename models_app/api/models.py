"""Models of an assistant."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Path, Query, Router, Schema, Status
from pydantic import BaseModel

from models_app.api.archives import DOWNLOAD, RAW_UPLOAD, UPLOAD, archive_in, send_archive
from models_app.api.facts import epoch
from models_app.loaders import load_assistant, load_model, require_models, visible_tags
from models_app.models import Assistant, Model, Tag
from models_app.receiving import receiving
from models_app.services.model_retention import keep_model, keep_model_no_longer
from models_app.services.models import SUFFIX, AddedModel, add_model, delete_model, reasons_to_keep, warnings_of
from models_app.services.training_settings import settings_of
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.errors import Conflict
from studio.rasa.compatibility import can_load
from studio.rasa.services import runtime_named
from studio.web.api.failures import failure
from studio.web.api.paging import Paging, page

router = Router(tags=["models"])


class ModelOut(Schema):
    """`hash` is the archive's SHA-256, `version` that of the Rasa that trained it, `trained_at` null in old archives.

    `is_compatible`: the assistant's Rasa is not known to refuse it. `revision` and `training` are the numbers of what
    it was made of and by, null for a model that was not trained here.
    """

    model: str
    hash: str
    trained_at: float | None
    version: str
    tags: list[str]
    is_compatible: bool
    size: int
    origin: str
    revision: int | None
    training: int | None
    created_at: float
    created_by: str
    kept: str | None = Field(description="Who keeps it from being deleted, and why.")


class UploadedOut(ModelOut):
    """`warnings` are sentences to read before it goes live."""

    warnings: list[str]


class ModelDetailOut(UploadedOut):
    """`cannot_be_deleted` says why, null when it can be. `domain` has the names of each kind."""

    language: str
    training_type: str
    rasa_model_id: str
    assistant_id: str
    domain: dict[str, object]
    cannot_be_deleted: str | None


class ModelsWanted(Schema):
    tag: str = Field("", max_length=63, description="Only the model that has this tag.")
    name: str = Field("", max_length=200, description="Only models with this in their name.")


@router.get("/projects/{slug}/models", summary="Models", url_name="models", response=list[ModelOut])
def models(
    request: HttpRequest, response: HttpResponse, slug: Path[str], wanted: Query[ModelsWanted], paging: Query[Paging]
) -> list[dict[str, object]]:
    """The newest first."""
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    return facts_of(page(request, response, _found(signed_in(request), assistant, wanted), paging), assistant)


def _found(viewer: User, assistant: Assistant, wanted: ModelsWanted) -> QuerySet[Model]:
    rows = Model.objects.visible_to(viewer).filter(assistant=assistant)
    if wanted.tag:
        rows = rows.filter(tags__in=Tag.objects.visible_to(viewer).filter(name=wanted.tag))
    if wanted.name:
        rows = rows.filter(name__icontains=wanted.name)
    return rows.select_related("job", "revision").prefetch_related(visible_tags(viewer)).defer("domain")


@router.post(
    "/projects/{slug}/models",
    summary="Upload a model",
    url_name="models",
    response={200: UploadedOut, 201: UploadedOut},
    openapi_extra=UPLOAD,
)
def upload(request: HttpRequest, slug: Path[str], name: str = "") -> Status[dict[str, object]] | HttpResponse:
    """A multipart form with the file as `model`, or the file as the body with its name as `?name=` or in
    Content-Disposition. 409 when there is a model of this name, also with the same bytes; who sends
    `X-Checksum-SHA256` gets 200 for the same name and bytes, so that it is safe to send again."""
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    checksum = request.headers.get("X-Checksum-SHA256")
    with archive_in(request, name) as arriving:
        if arriving is None:
            return failure(404, "ModelSaveError", "Send the model's archive as the field “model” of a multipart form.")
        source, file_name = arriving
        added = add_model(
            actor=signed_in(request),
            assistant=assistant,
            source=source,
            file_name=file_name,
            origin=Model.Origin.UPLOADED,
            checksum=checksum,
        )
    if added.existed and checksum is None:
        raise Conflict(f"There is already a model called {added.model.name}, with the same bytes.", code="name-taken")
    return uploaded(request, added)


@router.put(
    "/projects/{slug}/models/{model}",
    summary="Upload a model under this name",
    url_name="model",
    response={200: UploadedOut, 201: UploadedOut},
    openapi_extra=RAW_UPLOAD,
)
def put(request: HttpRequest, slug: Path[str], model: Path[str]) -> Status[dict[str, object]]:
    """The body is the archive, as `curl -T` sends it. The same bytes again answer 200, others 409."""
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    with receiving(request, settings.MAX_MODEL_BYTES) as body:
        added = add_model(
            actor=signed_in(request),
            assistant=assistant,
            source=body,
            file_name=model.removesuffix(SUFFIX) + SUFFIX,
            origin=Model.Origin.UPLOADED,
            checksum=request.headers.get("X-Checksum-SHA256"),
        )
    return uploaded(request, added)


def uploaded(request: HttpRequest, added: AddedModel) -> Status[dict[str, object]]:
    """The answer to whoever brought a model: 201, or 200 when it was there already."""
    model = load_model(request, added.model.assistant.slug, added.model.name)
    facts = {**fact_of(model), "warnings": added.warnings}
    return Status(200 if added.existed else 201, facts)


@router.get(
    "/projects/{slug}/models/{model}",
    summary="A model's archive",
    url_name="model",
    response={200: None},
    openapi_extra=DOWNLOAD,
)
def archive(request: HttpRequest, slug: Path[str], model: Path[str]) -> HttpResponseBase:
    """The `.tar.gz` with its SHA-256 as ETag and as `X-Checksum-SHA256`; a Range goes on where a download broke off."""
    return send_archive(request, load_model(request, slug, model))


@router.api_operation(["HEAD"], "/projects/{slug}/models/{model}", url_name="model", include_in_schema=False)
def archive_head(request: HttpRequest, slug: Path[str], model: Path[str]) -> HttpResponseBase:
    return send_archive(request, load_model(request, slug, model))


@router.delete("/projects/{slug}/models/{model}", summary="Delete a model", url_name="model", response={204: None})
def delete(request: HttpRequest, slug: Path[str], model: Path[str]) -> Status[None]:
    """409 while something needs it: a tag, a promotion under way, the mark that keeps it."""
    row = load_model(request, slug, model, Permission.MODELS_MODIFY)
    delete_model(actor=signed_in(request), model=row)
    return Status(204, None)


@router.get(
    "/projects/{slug}/models/{model}/about",
    summary="What is known of a model",
    url_name="model-about",
    response=ModelDetailOut,
)
def about(request: HttpRequest, slug: Path[str], model: Path[str]) -> dict[str, object]:
    row = load_model(request, slug, model)
    return {
        **fact_of(row),
        "warnings": warnings_of(row),
        "language": row.language,
        "training_type": row.training_type,
        "rasa_model_id": row.rasa_model_id,
        "assistant_id": row.rasa_assistant_id,
        "domain": row.domain,
        "cannot_be_deleted": reasons_to_keep([row]).get(row.pk),
    }


class Mark(BaseModel):
    reason: str = Field("", max_length=200)


@router.put("/projects/{slug}/models/{model}/keep", summary="Keep a model", url_name="model-keep", response={204: None})
def keep(request: HttpRequest, slug: Path[str], model: Path[str], body: Mark) -> Status[None]:
    """Neither people nor the rule of the assistant delete it while it has this mark."""
    row = load_model(request, slug, model, Permission.MODELS_MODIFY)
    keep_model(actor=signed_in(request), model=row, reason=body.reason)
    return Status(204, None)


@router.delete(
    "/projects/{slug}/models/{model}/keep",
    summary="Take the mark away that keeps a model",
    url_name="model-keep",
    response={204: None},
)
def keep_no_longer(request: HttpRequest, slug: Path[str], model: Path[str]) -> Status[None]:
    row = load_model(request, slug, model, Permission.MODELS_MODIFY)
    keep_model_no_longer(actor=signed_in(request), model=row)
    return Status(204, None)


# --- Facts --------------------------------------------------------------------------------------------------------


def fact_of(model: Model) -> dict[str, object]:
    return facts_of([model], model.assistant)[0]


def facts_of(rows: Sequence[Model], assistant: Assistant) -> list[dict[str, object]]:
    """Models of `assistant` with their tags, as ModelOut has them."""
    minimum = runtime_named(settings_of(assistant).rasa_version).minimum_compatible_version
    return [_facts(row, minimum) for row in rows]


def _facts(row: Model, minimum: str) -> dict[str, object]:
    job = getattr(row, "job", None)
    return {
        "model": row.name,
        "hash": row.artifact_id,
        "trained_at": epoch(row.trained_at),
        "version": row.rasa_version,
        "tags": [tag.name for tag in row.tags.all()],
        "is_compatible": can_load(row.rasa_version, minimum) is not False,
        "size": row.size,
        "origin": row.origin,
        "revision": row.revision.number if row.revision else None,
        "training": job.number if job else None,
        "created_at": epoch(row.created_at),
        "created_by": row.created_by_label,
        "kept": row.kept_why or None,
    }
