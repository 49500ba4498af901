"""Dead letters to look at: their causes, the letters of one, and one letter with its record."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from conversations.causes import COUNTED, Cause, Kind, beginnings, causes, kinds
from conversations.filters import DeadLetterFilter
from conversations.ingest.decode import Undecodable, decode
from conversations.ingest.faults import fault_of
from conversations.ingest.records import header_bytes
from conversations.ingest.whose import sender_key
from conversations.loaders import load_dead_letter, load_readable
from conversations.models import Conversation, DeadLetter, DeadLetterRun, IntakeSource
from conversations.presentation import records
from conversations.querysets import DeadLetterQuerySet
from conversations.services.dead_letters import current_record
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.keyset import page_of

State = DeadLetter.State
RUN_SHOWN_FOR = timedelta(minutes=10)  # after its end
STATUS = {
    State.WAITING: ("warning", "Waiting"),
    State.STORED: ("running", "Stored"),
    State.KNOWN: ("running", "Was stored already"),
    State.DISCARDED: ("silent", "Discarded"),
}


@dataclass(frozen=True, slots=True)
class CauseRow:
    cause: Cause
    url: str
    sample: SafeString


@dataclass(frozen=True, slots=True)
class LetterRow:
    letter: DeadLetter
    beginning: SafeString


@require_safe
def cause_list(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_readable(request, slug)
    filters, seen = _filtered(request, assistant)
    found = causes(seen)
    samples = beginnings([cause.newest for cause in found])
    context = {
        "filters": filters,
        "rows": [CauseRow(one, cause_url(slug, one, filters.query), _sample(samples, one.newest)) for one in found],
        "counted": COUNTED,
    }
    return render(request, "conversations/dead_letters.html", context, status=200 if filters.is_valid() else 422)


@require_safe
def letter_list(request: HttpRequest, slug: str, fault: str) -> HttpResponse:
    assistant = load_readable(request, slug)
    place = request.GET.get("place", "").replace("\0", "")
    filters, seen = _filtered(request, assistant)
    page = page_of(_letters(request, assistant, fault, place, filters), request)
    samples = beginnings([letter.pk for letter in page.rows])
    shown_runs = _runs(request, assistant, fault, place)
    context = {
        "filters": filters,
        "fault": fault,
        "place": place,
        "words": fault_of(fault, place),
        "cause": next(iter(causes(one for one in seen if (one.fault, one.place) == (fault, place))), None),
        "counted": COUNTED,
        "page": page,
        "rows": [LetterRow(letter, _sample(samples, letter.pk)) for letter in page.rows],
        "runs": shown_runs,
        "is_moving": any(run.is_open for run in shown_runs),
        "handling": urlencode({"place": place, **({"source": s} if (s := filters.query.get("source")) else {})}),
        "may_handle": signed_in(request).may_somewhere(Permission.CONVERSATIONS_FLAG, assistant.pk),
    }
    name = "conversations/dead_letters_of_cause.html" + ("#live" if request.headers.get("HX-Request") else "")
    return render(request, name, context, status=200 if filters.is_valid() else 422)


@require_safe
def letter_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    letter = load_dead_letter(request, slug, pk)
    viewer = signed_in(request)
    came = records.show(bytes(letter.record))
    edited = None if letter.edited is None else records.show(bytes(letter.edited))
    context = {
        "letter": letter,
        "status": STATUS[State(letter.state)],
        "words": fault_of(letter.fault, letter.place),
        "reason": records.visible(letter.reason),
        "record": came,
        "edited": edited,
        "current": edited or came,
        "shown": records.SHOWN,
        "headers": [
            (records.visible(name, kept=""), records.beginning(header_bytes(value))) for name, value in letter.headers
        ],
        "cause_url": cause_url(slug, letter, {}),
        "conversation": _conversation(request, letter),
        "may_handle": viewer.may(Permission.CONVERSATIONS_FLAG, Scope(letter.assistant_id, letter.environment_id)),
        **_neighbours(request, letter),
    }
    return render(request, "conversations/dead_letter.html", context)


@require_safe
def record_file(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The whole record, byte for byte, to keep and not to open: as it came, or with `?version=edited` as edited."""
    letter = load_dead_letter(request, slug, pk)
    content = current_record(letter) if request.GET.get("version") == "edited" else bytes(letter.record)
    headers = {"Content-Disposition": f'attachment; filename="{slug}-dead-letter-{pk}.bin"'}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)


def cause_url(slug: str, cause: Cause | DeadLetter | DeadLetterRun, query: dict[str, str]) -> str:
    """The page of a cause's letters, with the filters of `query`."""
    asked = {**({"place": cause.place} if cause.place else {}), **query}
    page = reverse("conversations:dead-cause", args=[slug, cause.fault])
    return f"{page}?{urlencode(asked)}" if asked else page


def _filtered(request: HttpRequest, assistant: Assistant) -> tuple[DeadLetterFilter, list[Kind]]:
    """The filters with what they can choose from, and the kinds of letters that they leave."""
    filters = DeadLetterFilter(request.GET)
    found = kinds(signed_in(request), assistant.pk, filters.chosen_state)
    filters.offer(list(IntakeSource.objects.filter(pk__in={one.source_id for one in found})))
    if not filters.is_valid():
        return filters, []
    source = filters.chosen_source
    return filters, [one for one in found if source is None or one.source_id == source.pk]


def _letters(
    request: HttpRequest, assistant: Assistant, fault: str, place: str, filters: DeadLetterFilter
) -> DeadLetterQuerySet:
    letters = DeadLetter.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    if not filters.is_valid():
        return letters.none()
    letters = letters.filter(state=filters.chosen_state, fault=fault, place=place)
    if filters.chosen_source is not None:
        letters = letters.filter(source=filters.chosen_source)
    return letters.light().select_related("source", "environment")


def _runs(request: HttpRequest, assistant: Assistant, fault: str, place: str) -> list[DeadLetterRun]:
    """Those under way, and the last one that ended a moment ago."""
    runs = DeadLetterRun.objects.visible_to(signed_in(request)).select_related("requested_by", "source")
    lately = list(runs.filter(assistant=assistant, fault=fault, place=place).order_by("-pk")[:10])
    ended = [run for run in lately if run.ended_at and run.ended_at > timezone.now() - RUN_SHOWN_FOR]
    return [run for run in lately if run.is_open] + ended[:1]


def _sample(samples: dict[int, bytes], pk: int) -> SafeString:
    return records.beginning(samples.get(pk, b""))


def _conversation(request: HttpRequest, letter: DeadLetter) -> Conversation | None:
    """Where the event of a letter is that was stored after all."""
    if letter.state not in (State.STORED, State.KNOWN):
        return None
    try:
        sender = decode(current_record(letter)).sender_id
    except Undecodable:
        return None
    visible = Conversation.objects.visible_to(signed_in(request))
    return visible.filter(assistant=letter.assistant_id, sender_key=sender_key(sender)).first()


def _neighbours(request: HttpRequest, letter: DeadLetter) -> dict[str, int | None]:
    """The letters before and after this one that wait for the same cause."""
    same = DeadLetter.objects.visible_to(signed_in(request)).waiting()
    same = same.filter(assistant=letter.assistant_id, fault=letter.fault, place=letter.place)
    return {
        "newer": same.filter(pk__gt=letter.pk).order_by("pk").values_list("pk", flat=True).first(),
        "older": same.filter(pk__lt=letter.pk).order_by("-pk").values_list("pk", flat=True).first(),
    }
