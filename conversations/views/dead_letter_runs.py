"""What one does with all letters of a cause. How far it came stands on the page of the cause."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from conversations.forms.dead_letters import DiscardForm
from conversations.ingest.faults import fault_of
from conversations.loaders import load_readable, load_run
from conversations.models import DeadLetterRun, IntakeSource
from conversations.services.dead_letter_runs import Selection, request_run, stop_run
from conversations.views.dead_letters import cause_url
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

COUNTED = 10_000


@require_http_methods(["GET", "HEAD", "POST"])
def retry_all(request: HtmxHttpRequest, slug: str, fault: str) -> HttpResponse:
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    selection = _selection(request, assistant, fault)
    refused = ""
    if request.method == "POST":
        try:
            run = request_run(actor=signed_in(request), act=DeadLetterRun.Act.RETRY, selection=selection)
        except DomainError as error:
            refused = error.message
        else:
            return go(request, cause_url(slug, run, _kept(run)))
    context = {
        "heading": f"Try {_many(request, selection)} again",
        "text": f"“{fault_of(fault, selection.place).title}”: each goes the way it came once more. What was stored "
        "already is told apart and adds nothing, and what still cannot be read goes on waiting.",
        "confirm_label": "Try again",
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def discard_all(request: HtmxHttpRequest, slug: str, fault: str) -> HttpResponse:
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    selection = _selection(request, assistant, fault)
    form = DiscardForm(request.POST or None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            act = DeadLetterRun.Act.DISCARD
            run = request_run(actor=signed_in(request), act=act, selection=selection, reason=reason)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go(request, cause_url(slug, run, _kept(run)))
    context = {
        "heading": f"Discard {_many(request, selection)}",
        "text": f"“{fault_of(fault, selection.place).title}”: they wait no longer, and their events will be missing in "
        "their conversations. The records themselves are kept.",
        "form": form,
        "confirm_label": "Discard them",
        "danger": True,
    }
    return render(
        request, "conversations/dead_letters_dialog.html", context, status=422 if request.method == "POST" else 200
    )


@require_POST
def stop(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    run = load_run(request, slug, pk, to_stop=True)
    try:
        stop_run(actor=signed_in(request), run=run)
    except DomainError as error:
        messages.warning(request, error.message)
    return redirect(cause_url(slug, run, _kept(run)))


def _selection(request: HttpRequest, assistant: Assistant, fault: str) -> Selection:
    """The letters that the address speaks of."""
    source, asked = None, request.GET.get("source", "")
    if asked:
        key = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0
        source = get_object_or_404(IntakeSource, assistant=assistant, pk=key)
    return Selection(assistant, fault, request.GET.get("place", "").replace("\0", ""), source)


def _many(request: HttpRequest, selection: Selection) -> str:
    count = selection.waiting(signed_in(request))[: COUNTED + 1].count()
    if count > COUNTED:
        return f"all letters (more than {COUNTED:,})"
    return "1 letter" if count == 1 else f"{count:,} letters"


def _kept(run: DeadLetterRun) -> dict[str, str]:
    return {"source": str(run.source_id)} if run.source_id else {}
