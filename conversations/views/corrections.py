"""Confirming and correcting a message, in the panel beside its conversation."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from conversations.correcting import Correcting, correcting
from conversations.forms.corrections import CorrectionForm, moment_in
from conversations.loaders import load_message
from conversations.models import Correction, Event
from conversations.presentation.said import said_in
from conversations.services import corrections
from conversations.views.conversation_list import address_in_list, filter_query
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, toast

_TALKING = (["talk"], ["try"])  # pages that use the key N themselves
_WITHOUT_VERDICTS = (*_TALKING, ["examples"])  # pages without bubbles that carry them


@require_POST
def correct(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    event = load_message(request, slug, pk, event_pk)
    form = CorrectionForm(request.POST, text=said_in(event).text)
    if not form.is_valid():
        return _refused(request, event, form.problem)
    try:
        row = corrections.correct(actor=signed_in(request), event=event, verdict=form.verdict)
    except DomainError as error:
        return _refused(request, event, error.message)
    return _answer(request, event, told(row))


@require_POST
def undo(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    event = load_message(request, slug, pk, event_pk)
    said_at = moment_in(request.POST, "said_at")
    try:
        row = corrections.undo(actor=signed_in(request), event=event, said_at=said_at)
    except DomainError as error:
        return _kept(request, event, error.message)
    return _answer(request, event, "Taken back." if row is None else f"Back to what {row.person_label} said.")


def told(row: Correction) -> str:
    """What was done, as a sentence."""
    if not row.intent:
        return "Set aside: it becomes no example."
    more = f" It was said {row.said_times} times." if row.also else ""
    return f"{row.get_kind_display().capitalize()} as {row.intent}.{more}"


def _refused(request: HtmxHttpRequest, event: Event, problem: str) -> HttpResponse:
    """With what was typed."""
    shown = _shown(request, event)
    if shown is None or not request.htmx:
        messages.error(request, problem)
        return redirect(address_in_list(request, event.conversation, event))
    shown.problem = problem
    shown.typed = {name: request.POST.get(name, "") for name in ("intent", "entities")}
    return _fragment(request, shown, status=422)


def _kept(request: HtmxHttpRequest, event: Event, why: str) -> HttpResponse:
    """What was to be taken back stays: the panel as it is now, and in the list of examples the row."""
    shown = _shown(request, event)
    if shown is None or not request.htmx:
        messages.error(request, why)
        return redirect(address_in_list(request, event.conversation, event))
    if _page(request) == ["examples"]:
        response = toast(HttpResponse(status=409), why, "error")
        response["HX-Reswap"] = "none"
        return response
    shown.problem = why
    return _with_verdict(request, event, shown, _fragment(request, shown, status=409))


def _answer(request: HtmxHttpRequest, event: Event, words: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, words)
        return redirect(address_in_list(request, event.conversation, event))
    event.refresh_from_db(fields=["is_looked_at"])
    shown = _shown(request, event)
    return _with_verdict(request, event, shown, _fragment(request, shown, told=words))


def _with_verdict(request: HtmxHttpRequest, event: Event, shown: Correcting | None, form: HttpResponse) -> HttpResponse:
    """And with what stands below the message's bubble, where the page has bubbles."""
    own = shown.correction if shown is not None and shown.is_own else None
    if _page(request) not in _WITHOUT_VERDICTS:
        form.write(render_to_string("conversations/_verdict.html", {"row": own, "event_id": event.pk, "oob": True}))
    return form


def _shown(request: HtmxHttpRequest, event: Event) -> Correcting | None:
    return correcting(signed_in(request), event.conversation, event)


def _fragment(request: HtmxHttpRequest, shown: Correcting | None, status: int = 200, told: str = "") -> HttpResponse:
    """`told` is what was done, where no correction is left that says it."""
    query = filter_query(request.GET).urlencode()
    context = {"correcting": shown, "query": query, "in_talk": _in_talk(request), "told": told}
    return render(request, "conversations/_correction.html", context, status=status)


def _in_talk(request: HtmxHttpRequest) -> bool:
    return _page(request) in _TALKING


def _page(request: HtmxHttpRequest) -> list[str]:
    """What stands behind the assistant in the address of the page that asks."""
    return (request.htmx.current_url_abs_path or "").split("/")[3:4]
