"""Tags of models. One that is an environment's name says which model is live there: moving it is a promotion."""

from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema, Status

from environments.api.moves import Move
from environments.loaders import load_modifiable
from environments.models import Environment
from environments.services.promotion import promote
from models_app.api.archives import DOWNLOAD, send_archive
from models_app.api.paths import of_each
from models_app.loaders import load_assistant, load_model, require_models
from models_app.models import Model, Tag
from models_app.services.expected import holds
from models_app.services.tags import remove_tag, set_tag
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import Conflict
from studio.web.api.paging import Paging, page

router = Router(tags=["tags"])
TAG = "/projects/{slug}/models/{model}/tags/{tag}"


class TagOut(Schema):
    """`model` and `hash` are null of an environment out of service; `kind` is `environment` or `free`."""

    tag: str
    kind: str
    model: str | None
    hash: str | None
    moved_at: float


@router.get("/projects/{slug}/tags", summary="Tags of an assistant", url_name="tags", response=list[TagOut])
def tags(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, object]]:
    """By name. Tags of environments that one does not see are left out."""
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    seen = Tag.objects.visible_to(signed_in(request)).filter(assistant=assistant).select_related("model")
    return [_facts(row) for row in page(request, response, seen.defer("model__domain"), paging, by="name")]


@of_each(
    router.get,
    "/models/tags/{tag}",
    summary="The archive of the model that has a tag",
    url_name="model-by-tag",
    response={200: None, 204: None},
    openapi_extra=DOWNLOAD,
)
def archive(request: HttpRequest, slug: Path[str], tag: Path[str]) -> HttpResponseBase:
    """For people and programs; Rasa servers ask at the same address, with the token of their environment. 204 of an
    environment without a model."""
    return _archive(request, slug, tag)


def _archive(request: HttpRequest, slug: str, tag: str) -> HttpResponseBase:
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    row = Tag.objects.visible_to(signed_in(request)).filter(assistant=assistant, name=tag).first()
    if row is None:
        raise Http404(f"There is no tag {tag}.")
    if row.model is None:
        return HttpResponse(status=204)
    return send_archive(request, load_model(request, slug, row.model.name))


@of_each(
    partial(router.api_operation, ["HEAD"]), "/models/tags/{tag}", url_name="model-by-tag", include_in_schema=False
)
def archive_head(request: HttpRequest, slug: Path[str], tag: Path[str]) -> HttpResponseBase:
    return _archive(request, slug, tag)


@router.put(TAG, summary="Tag a model", url_name="model-tag", response={204: None})
def put_tag(
    request: HttpRequest,
    slug: Path[str],
    model: Path[str],
    tag: Path[str],
    query: Query[Move],
    body: Move | None = None,
) -> Status[None]:
    """The tag leaves whichever model had it. An environment's name: the model is promoted there. What the body leaves
    out the address may say."""
    row, move = load_model(request, slug, model), body.over(query) if body else query
    environment = _environment(request, row, tag)
    if environment is not None:
        _promote(request, environment, row, move)
    else:
        require(signed_in(request), Permission.MODELS_MODIFY, Scope(row.assistant_id))
        set_tag(actor=signed_in(request), model=row, name=tag, expected_current=move.expected, reason=move.reason)
    return Status(204, None)


@router.delete(TAG, summary="Take a tag off a model", url_name="model-tag", response={204: None})
def delete_tag(
    request: HttpRequest, slug: Path[str], model: Path[str], tag: Path[str], query: Query[Move]
) -> Status[None]:
    """404 when this model does not have it, 409 when `expected_current` is another. An environment's name: the
    environment is taken out of service."""
    row = load_model(request, slug, model)
    environment, actor = _environment(request, row, tag), signed_in(request)
    if environment is None:
        require(actor, Permission.MODELS_MODIFY, Scope(row.assistant_id))
    if tag not in {one.name for one in row.tags.all()}:  # of those that one sees
        raise Http404(f"{row.name} has no tag {tag}.")
    if not holds(query.expected, row):
        current = {"current": row.name, "hash": row.artifact_id}
        raise Conflict(f"The tag {tag} is on {row.name}. Nothing was changed.", code="stale", **current)
    if environment is not None:
        promote(actor=actor, environment=environment, model=None, expected_current=row, reason=query.reason)
    else:
        remove_tag(actor=actor, assistant=row.assistant, name=tag, expected_current=row, reason=query.reason)
    return Status(204, None)


def _environment(request: HttpRequest, model: Model, tag: str) -> Environment | None:
    """The environment of that name, which one may modify; None for a free tag, or one that stays unknown."""
    seen = Environment.objects.visible_to(signed_in(request)).filter(assistant=model.assistant, name=tag)
    return load_modifiable(request, model.assistant.slug, tag) if seen.exists() else None


def _promote(request: HttpRequest, environment: Environment, model: Model, move: Move) -> None:
    """Once more the same is no failure: what was asked for is so."""
    try:
        promote(
            actor=signed_in(request),
            environment=environment,
            model=model,
            expected_current=move.expected,
            reason=move.reason,
        )
    except Conflict as error:
        if error.code != "already-live":
            raise


def _facts(row: Tag) -> dict[str, object]:
    return {
        "tag": row.name,
        "kind": row.kind,
        "model": row.model.name if row.model else None,
        "hash": row.model.artifact_id if row.model else None,
        "moved_at": row.moved_at.timestamp(),
    }
