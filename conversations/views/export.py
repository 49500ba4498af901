"""Taking conversations out as files."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations.downloads import prepared, sent
from conversations.loaders import load_export, load_readable
from conversations.models import ExportRun
from conversations.presentation.chosen import filter_in_words
from conversations.presentation.runs import ExportLine
from conversations.services import export_runs
from conversations.services.erasure_runs import WORKER
from conversations.services.exporting import Format
from conversations.views.conversation_list import filter_query
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.errors import DomainError, Invalid
from studio.jobs import heartbeat
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

# What each format is good for.
FORMATS = (
    (
        Format.JSONL,
        "JSON lines",
        "One conversation a line, as Rasa’s tracker has it: every event as it was sent.",
    ),
    (Format.MESSAGES, "Messages, CSV", "One row for each message: who, when, text, intent, confidence, action."),
    (Format.CONVERSATIONS, "Conversations, CSV", "One row for each conversation: its counts, times and names."),
)


@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Choose a format of what the filter shows. Posted for more than is sent at once: it is prepared."""
    assistant = load_readable(request, slug)
    query = filter_query(request.GET).urlencode()
    refused, count = "", 0
    try:
        if request.method == "POST":
            return go(request, _page(_request(request, assistant, query)))
        count = export_runs.count_up_to_limit(actor=signed_in(request), assistant=assistant, query=query)
    except DomainError as error:
        refused = error.message
    context = {
        "heading": "Export conversations",
        "refused": refused,
        "count": count,
        "most": export_runs.AT_ONCE,
        "is_large": count > export_runs.AT_ONCE,
        "chosen": filter_in_words(query),
        "formats": [(kind, title, text, _file(slug, query, kind)) for kind, title, text in FORMATS],
    }
    return render(request, "conversations/export.html", context, status=422 if refused else 200)


def _request(request: HttpRequest, assistant: Assistant, query: str) -> ExportRun:
    kind = _format(request.POST.get("format", ""))
    return export_runs.request_run(actor=signed_in(request), assistant=assistant, query=query, kind=kind)


def _format(word: str) -> Format:
    try:
        return Format(word)
    except ValueError:
        raise Invalid("Choose one of the formats.") from None


def _file(slug: str, query: str, kind: Format) -> str:
    address = reverse("conversations:export-file", args=[slug])
    return f"{address}?{urlencode({'format': kind})}{f'&{query}' if query else ''}"


@require_safe
def export_file(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The file at once; of more conversations than are sent so, the way to have it prepared."""
    assistant = load_readable(request, slug)
    query = filter_query(request.GET).urlencode()
    try:
        kind = _format(request.GET.get("format", ""))
        pieces = export_runs.send_now(actor=signed_in(request), assistant=assistant, query=query, kind=kind)
    except DomainError as error:
        messages.warning(request, error.message)
        return redirect(f"{reverse('conversations:export', args=[slug])}?{query}")
    return sent(assistant, kind, pieces)


@require_safe
def export_list(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """The files that one had prepared."""
    assistant = load_readable(request, slug)
    page = page_of(ExportRun.objects.visible_to(signed_in(request)).filter(assistant=assistant), request)
    lines = [ExportLine(run) for run in page.rows]
    context = {"page": page, "lines": lines, "is_busy": any(line.run.is_open for line in lines)}
    return render(request, f"conversations/exports.html{'#live' if request.htmx else ''}", context)


@require_safe
def export_page(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    run = load_export(request, slug, pk)
    context = {
        "run": run,
        "line": ExportLine(run),
        "chosen": filter_in_words(run.query),
        "has_worker": not run.is_open or heartbeat.live(WORKER) > 0,
    }
    return render(request, f"conversations/export_run.html{'#live' if request.htmx else ''}", context)


@require_safe
def prepared_file(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    return prepared(request, load_export(request, slug, pk))


@require_POST
def cancel(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    run = load_export(request, slug, pk)
    try:
        export_runs.cancel(actor=signed_in(request), run=run)
    except DomainError as error:
        messages.warning(request, error.message)
    return go(request, _page(run))


def _page(run: ExportRun) -> str:
    return reverse("conversations:export-run", args=[run.assistant.slug, run.pk])
