"""Files of conversations as answers, to a browser and to a program alike."""

from collections.abc import Iterable

from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from conversations.models import ExportRun
from conversations.services import export_runs
from conversations.services.exporting import CONTENT_TYPES, ENDINGS, Format
from models_app.models import Assistant
from models_app.storage import ArtifactMissing
from studio.web import streaming


def sent(assistant: Assistant, kind: Format, pieces: Iterable[bytes]) -> StreamingHttpResponse:
    """What is written while it is sent."""
    response = StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = _attachment(assistant, kind)
    return response


def prepared(request: HttpRequest, run: ExportRun) -> HttpResponseBase:
    """A file that lies ready, or with Range a part of it. Raises Http404 until it is done, and once it is gone."""
    if run.state != ExportRun.State.DONE:
        raise Http404("There is no file any more, or not yet.")
    kind = Format(run.format)
    source = streaming.Source(
        open=lambda start: export_runs.store().open(run.sha256, start), size=run.size, etag=f'"{run.sha256}"'
    )
    headers = {"Content-Disposition": _attachment(run.assistant, kind)}
    try:
        return streaming.stream(request, source, headers=headers, content_type=CONTENT_TYPES[kind])
    except ArtifactMissing:
        raise Http404("The file is gone. Export again.") from None


def _attachment(assistant: Assistant, kind: Format) -> str:
    return f'attachment; filename="{assistant.slug}-{timezone.now():%Y-%m-%d}.{ENDINGS[kind]}"'
