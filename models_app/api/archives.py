"""Bytes of models in and out by API."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response

from models_app.api.facts import as_file
from models_app.models import Model
from models_app.receiving import receiving
from models_app.services.archives import headers_of, source_of
from models_app.storage import ArtifactMissing, store
from studio.multipart import FilePart, file_name_in
from studio.readable import Readable
from studio.web.api import repeats
from studio.web.api.failures import failure
from studio.web.streaming import stream

log = structlog.get_logger()

FIELD = "model"
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            "application/gzip": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    **repeats.NONE,
}
RAW_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
DOWNLOAD = as_file("application/gzip", "The archive; a part of it (206) where a Range asks for one.")


def send_archive(request: HttpRequest, model: Model) -> HttpResponseBase:
    """The archive, a part of it, or the failure of our shape that says why not."""
    if (known := get_conditional_response(request, etag=model.etag)) is not None:
        return known if known.status_code == 304 else failure(412, "Changed", "The archive is not the one you name.")
    try:
        if request.method == "HEAD":
            store().size(model.artifact_id)  # raises where a GET would
        response = stream(request, source_of(model), headers=headers_of(model))
    except ArtifactMissing:
        log.error("artifact missing", model=model.name, sha256=model.artifact_id)
        return failure(503, "ArtifactMissing", "The model's archive is missing from the artifact store.")
    return response if response.status_code < 400 or request.method == "HEAD" else _in_our_shape(response)


def _in_our_shape(response: HttpResponseBase) -> HttpResponse:
    if response.status_code == 416:
        shaped = failure(416, "RangeNotSatisfiable", "The archive does not reach as far as this Range.")
    else:
        shaped = failure(response.status_code, "Busy", "Too many downloads at once. Try again in a moment.")
    for name in ("Content-Range", "Retry-After"):
        if name in response.headers:
            shaped.headers[name] = response.headers[name]
    return shaped


@contextmanager
def archive_in(request: HttpRequest, name: str) -> Iterator[tuple[Readable, str] | None]:
    """The archive that a POST brings, and its file name; None when there is none in it.

    It is the part `model` of a multipart form, or the whole body, whose name the address or Content-Disposition tells.
    """
    with receiving(request, settings.MAX_MODEL_BYTES) as body:
        if request.content_type == "multipart/form-data":
            part = FilePart(body, request.headers.get("Content-Type", ""), FIELD)
            yield (part, name or part.file_name) if part.find() else None
        else:
            name = name or file_name_in(request.headers.get("Content-Disposition", ""))
            yield (body, name) if name else None
