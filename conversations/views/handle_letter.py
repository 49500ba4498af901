"""What one does with one dead letter: try it again, edit it, discard it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from conversations.forms.dead_letters import DiscardForm, RecordForm
from conversations.ingest.faults import fault_of
from conversations.loaders import load_dead_letter
from conversations.models import DeadLetter
from conversations.presentation import records
from conversations.services import dead_letters
from conversations.services.dead_letters import EDITABLE, current_record
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

State = DeadLetter.State
TOLD = {
    State.STORED: "Stored: its event is in its conversation now.",
    State.KNOWN: "Its event was stored already, so that nothing was added. The letter is closed.",
    State.DISCARDED: "It is of somebody whose conversation was erased: nothing was stored, and the record is gone.",
}


@require_POST
def retry(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    letter = _load(request, slug, pk)
    try:
        tried = dead_letters.retry(actor=signed_in(request), letter=letter)
    except DomainError as error:
        messages.warning(request, error.message)
    else:
        _tell(request, tried)
    return redirect("conversations:dead-letter", slug, pk)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    letter = _load(request, slug, pk)
    record = current_record(letter)
    if letter.state != State.WAITING or len(record) > EDITABLE:
        too_large = f"The record is too large to be edited here: at most {EDITABLE:,} bytes can be."
        messages.warning(request, too_large if len(record) > EDITABLE else "The letter was handled already.")
        return redirect("conversations:dead-letter", slug, pk)
    form = RecordForm(request.POST or None, initial={"text": records.for_editing(record)})
    if form.is_valid() and _is_settled(request, letter, form):
        return redirect("conversations:dead-letter", slug, pk)
    text = str(form["text"].value() or "")
    context = {
        "letter": letter,
        "words": fault_of(letter.fault, letter.place),
        "form": form,
        "spot": records.json_error(text.replace("\r\n", "\n")),
        "is_text": records.show(record).is_text,
    }
    return render(request, "conversations/dead_letter_edit.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    letter = _load(request, slug, pk)
    form = DiscardForm(request.POST or None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            dead_letters.discard(actor=signed_in(request), letter=letter, reason=reason)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Discarded. The record is kept under “Discarded”.")
            return go(request, reverse("conversations:dead-letter", args=[slug, pk]))
    context = {
        "heading": "Discard this letter",
        "text": "It waits no longer, and its event will be missing in its conversation. The record itself is kept.",
        "form": form,
        "confirm_label": "Discard",
        "danger": True,
    }
    return render(
        request, "conversations/dead_letters_dialog.html", context, status=422 if request.method == "POST" else 200
    )


def _load(request: HttpRequest, slug: str, pk: int) -> DeadLetter:
    return load_dead_letter(request, slug, pk, Permission.CONVERSATIONS_FLAG)


def _is_settled(request: HttpRequest, letter: DeadLetter, form: RecordForm) -> bool:
    """Whether the edited record is an event now; otherwise the form says what is wrong with it."""
    try:
        tried = dead_letters.edit_and_retry(actor=signed_in(request), letter=letter, edited=form.record)
    except DomainError as error:
        form.add_error("text", error.message)
        return False
    if tried.state == State.WAITING:
        form.add_error("text", f"Kept, and tried: {tried.reason}")
        return False
    _tell(request, tried)
    return True


def _tell(request: HttpRequest, letter: DeadLetter) -> None:
    state = State(letter.state)
    if state in TOLD:
        messages.success(request, TOLD[state])
    else:
        messages.warning(request, "It still cannot be stored. What is wrong now stands below.")
