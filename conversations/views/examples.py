"""Examples that wait beside the training data: the list, and taking many into one revision."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from conversations.example_filters import ExampleFilter, Place, page_of
from conversations.forms.corrections import moment_in
from conversations.loaders import load_readable, may_correct
from conversations.models import Correction
from conversations.presentation.examples import marked
from conversations.services import examples
from conversations.services.examples import Outcome, Waiting, Wishes, judge
from models_app.models import Assistant
from models_app.services.editing import BadData
from models_app.vocabulary import vocabulary_of
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest

COUNTED = 999  # that wait; beyond, more is all that matters


@require_safe
def waiting(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_readable(request, slug, Permission.NLU_VIEW)
    viewer = signed_in(request)
    filters = ExampleFilter(request.GET, assistant=assistant, viewer=viewer)
    before, after = (Place.parse(request.GET.get(name, "")) for name in ("before", "after"))
    rows = filters.apply().select_related("conversation__environment", "revision", "settled_by")
    page = page_of(rows, before=before, after=after, is_newest_first=filters.is_ignored)
    shown = _judged(page.rows, assistant) if filters.is_waiting else [Waiting(row) for row in page.rows]
    may_accept = viewer.may(Permission.NLU_MODIFY, Scope(assistant.pk))
    context = {
        "filters": filters,
        "page": page,
        "rows": [(one, marked(one.row.text, one.row.entities)) for one in shown],
        "undoable": {one.pk for one in page.rows if filters.is_ignored and may_correct(viewer, one.conversation)},
        "count": _count(filters),
        "counted": COUNTED,
        "seen_at": timezone.now().isoformat(),
        "new_intents": sorted({one.row.intent for one in shown if one.is_new_intent}),
        "new_entities": sorted({name for one in shown for name in one.new_entities}),
        "has_elsewhere": any(one.elsewhere for one in shown),
        "may_accept": may_accept,
        "may_choose": may_accept and (filters.is_waiting or filters.chosen_state == Correction.State.DISCARDED),
        "may_view_inbox": viewer.may_somewhere(Permission.CONVERSATIONS_FLAG, assistant.pk),
    }
    return render(request, "conversations/examples.html", context, status=200 if filters.is_valid() else 422)


def _judged(rows: Sequence[Correction], assistant: Assistant) -> list[Waiting]:
    """Also beside those of other pages."""
    keys = {row.pk for row in rows}
    others = Correction.objects.waiting().filter(assistant=assistant, text__in={row.text for row in rows})
    judged = judge([*rows, *others.exclude(pk__in=keys)], vocabulary_of(assistant))
    return [one for one in judged if one.row.pk in keys]


def _count(filters: ExampleFilter) -> int:
    return filters.apply().order_by()[: COUNTED + 1].count()


@require_safe
def note(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """How many wait, for the Data page."""
    assistant = load_readable(request, slug, Permission.NLU_VIEW)
    rows = Correction.objects.visible_to(signed_in(request)).waiting().filter(assistant=assistant)
    count = rows.order_by()[: COUNTED + 1].count()
    return render(request, "conversations/_examples_note.html", {"count": count, "counted": COUNTED})


@require_POST
def settle(request: HttpRequest, slug: str) -> HttpResponse:
    """Accept, discard or bring back what was chosen of the list that the address's query names."""
    assistant = load_readable(request, slug, Permission.NLU_VIEW)
    require(signed_in(request), Permission.NLU_MODIFY, Scope(assistant.pk))
    keys = _chosen(request, assistant)
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    back = redirect(reverse("conversations:examples", args=[slug]) + query)
    if not keys:
        messages.warning(request, "Choose at least one example.")
        return back
    try:
        _settle(request, assistant, keys)
    except BadData as error:
        messages.error(request, f"Nothing was changed: Rasa could not read the result. {error.message}")
    except DomainError as error:
        messages.error(request, error.message)
    return back


def _chosen(request: HttpRequest, assistant: Assistant) -> list[int]:
    """Those that were ticked, or all that the filters show."""
    if request.POST.get("everything"):
        filters = ExampleFilter(request.GET, assistant=assistant, viewer=signed_in(request))
        return list(filters.apply().order_by("pk").values_list("pk", flat=True)[: examples.MOST])
    ticked = request.POST.getlist("example")
    return sorted({int(one) for one in ticked if one.isascii() and one.isdigit() and len(one) <= 18})[: examples.MOST]


def _settle(request: HttpRequest, assistant: Assistant, keys: list[int]) -> None:
    actor, act = signed_in(request), request.POST.get("act")
    of: dict[str, Any] = {"actor": actor, "assistant": assistant, "keys": keys}
    if act == "discard":
        count = examples.discard(**of)
        messages.success(request, f"{_examples(count)} discarded. They stand under “discarded” and can come back.")
    elif act == "back":
        messages.success(request, f"{_examples(examples.bring_back(**of))} wait again.")
    else:
        _tell(request, examples.accept(**of, seen_at=moment_in(request.POST, "seen_at"), wishes=_wishes(request)))


def _wishes(request: HttpRequest) -> Wishes:
    return Wishes(
        move=request.POST.get("elsewhere") == "move",
        new_intents=request.POST.getlist("new_intent"),
        new_entities=request.POST.getlist("new_entity"),
        message=request.POST.get("message", "").replace("\0", "").strip()[:300],
    )


def _tell(request: HttpRequest, outcome: Outcome) -> None:
    if outcome.revision is not None:
        is_are = "is" if outcome.taken == 1 else "are"
        messages.success(request, f"{_examples(outcome.taken)} {is_are} in revision {outcome.revision.number}.")
    if outcome.left:
        reasons = "; ".join(f"{count} {reason}" for reason, count in outcome.left.most_common())
        messages.warning(request, f"{_examples(outcome.left.total())} not taken: {reasons}.")


def _examples(count: int) -> str:
    return "1 example" if count == 1 else f"{count:,} examples"
