"""Bytes of models in and out: the upload page, the raw PUT it sends, and the download."""

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.loaders import load_assistant, load_model
from models_app.models import Model
from models_app.receiving import receiving
from models_app.services.archives import headers_of, source_of
from models_app.services.models import AddedModel, add_model
from models_app.storage import ArtifactMissing, StoreFailed, store
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import Conflict, DomainError
from studio.web.errors import FILE_MISSING, STORE_AWAY, problem_page
from studio.web.streaming import stream

log = structlog.get_logger()


@require_safe
def upload_page(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    upload_url = reverse("models:upload-file", args=[slug, "0.tar.gz"]).removesuffix("0.tar.gz")
    context = {"heading": "Upload models", "limit": settings.MAX_MODEL_BYTES, "upload_url": upload_url}
    return render(request, "models_app/upload.html", {**context, "assistant": assistant})


@require_http_methods(["PUT"])
def upload(request: HttpRequest, slug: str, file_name: str) -> JsonResponse:
    """The archive is the raw body; the answer is JSON with the model's address, or a sentence that says why not."""
    assistant = load_assistant(request, slug, Permission.MODELS_MODIFY)
    try:
        with receiving(request, settings.MAX_MODEL_BYTES) as body:
            added = add_model(
                actor=signed_in(request),
                assistant=assistant,
                source=body,
                file_name=file_name,
                origin=Model.Origin.UPLOADED,
            )
    except DomainError as error:
        return JsonResponse({"message": error.message, "code": error.code}, status=_status(error))
    return JsonResponse(_answer(slug, added), status=200 if added.existed else 201)


def _status(error: DomainError) -> int:
    status: int | None = getattr(error, "status", None)
    return status or (409 if isinstance(error, Conflict) else 422)


def _answer(slug: str, added: AddedModel) -> dict[str, object]:
    return {
        "name": added.model.name,
        "url": reverse("models:detail", args=[slug, added.model.name]),
        "existed": added.existed,
        "warnings": added.warnings,
    }


@require_safe
def download(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    model = load_model(request, slug, name)
    try:
        if request.method == "HEAD":
            store().size(model.artifact_id)  # raises where a GET would
        return stream(request, source_of(model), headers=headers_of(model))
    except ArtifactMissing:
        log.error("artifact missing", model=model.name, sha256=model.artifact_id)
        return problem_page(request, FILE_MISSING)
    except StoreFailed as error:
        log.error("artifact store failed", model=model.name, error=error.message)
        return problem_page(request, STORE_AWAY, error.message)
