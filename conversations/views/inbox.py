"""The message inbox: one message after the other, the least certain first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from conversations import window
from conversations.correcting import Correcting, correcting
from conversations.forms.corrections import CorrectionForm, moment_in
from conversations.inbox_filters import InboxFilter
from conversations.loaders import load_readable, may_correct
from conversations.models import Correction, Event
from conversations.presentation import Item, Message, timeline
from conversations.presentation.reading import moment
from conversations.presentation.said import said_in
from conversations.services import corrections, inbox
from conversations.services.inbox import COUNTED, Asked
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest

BEFORE = 12  # events before a message, of which the last words are shown
WORDS_BEFORE = 4
SKIPPED = 100  # messages, the last of a sitting, whose words do not come again in it
LONGEST_NAME = 40  # of a page


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the inbox shows it."""

    event: Event
    correcting: Correcting | None
    before: Sequence[Item]  # what was said before it
    model: str  # by the name that people know
    same: int = 0  # others that say the same

    @property
    def times(self) -> int:
        return self.same + 1

    @property
    def at(self) -> datetime:
        return moment(self.event.timestamp)

    @property
    def may_be_undone(self) -> bool:
        """Whether it has an answer already, with a button to take that back."""
        return self.correcting is not None and not self.held_by and self.correcting.may_be_undone

    @property
    def held_title(self) -> str:
        return f"{self.held_by} looks at this one"

    @property
    def held_by(self) -> str:
        return self.correcting.held_by if self.correcting else ""


@require_safe
def inbox_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The message that the address names, else the first that is free. It takes it; its script asks what follows."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    viewer = signed_in(request)
    filters = InboxFilter(request.GET, assistant=assistant, viewer=viewer)
    page = token_urlsafe(12)
    now = _in_front(request, filters, page) if filters.is_valid() else None
    context = {
        "page_name": page,
        "filters": filters,
        "now": now,
        "last": None if now and now.may_be_undone else _last(filters),  # one Z on the page
        "query": filter_query(request),
        "may_view_data": viewer.may_somewhere(Permission.NLU_VIEW, assistant.pk),
    }
    return render(request, "conversations/inbox.html", context, status=200 if filters.is_valid() else 422)


def _last(filters: InboxFilter) -> Correction | None:
    return corrections.last_of(filters.viewer, filters.assistant, [one.pk for one in filters.environments])


def _in_front(request: HttpRequest, filters: InboxFilter, page: str) -> Shown | None:
    asked = _asked(request, filters.assistant)
    if asked is not None:
        return _shown(filters, asked, is_held=inbox.hold(actor=filters.viewer, event=asked, page=page))
    found = inbox.next_free(actor=filters.viewer, wanted=filters.wanted(), page=page)
    return None if found is None else _shown(filters, found, is_held=True)


@require_safe
def following(request: HttpRequest, slug: str, event_pk: int) -> HttpResponse:
    """What comes after a message, for the page to have it ready, and how far one is."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    return _next(request, assistant, _load(request, assistant, event_pk))


@require_POST
def answer(request: HtmxHttpRequest, slug: str, event_pk: int) -> HttpResponse:
    """Say what a message is. The page has gone on to `now` meanwhile and is given what follows that one."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    event = _load(request, assistant, event_pk)
    form = CorrectionForm(request.POST, text=said_in(event).text)
    try:
        if not form.is_valid():
            return _refused(request, event, form.problem)
        row = corrections.correct(actor=signed_in(request), event=event, verdict=form.verdict)
    except DomainError as error:
        return _refused(request, event, error.message)
    if not request.htmx:
        return redirect(_address(slug, request))
    now = _load(request, assistant, int(shown)) if (shown := request.POST.get("now", "")).isdecimal() else event
    return _next(request, assistant, now, last=row)


@require_POST
def undo(request: HtmxHttpRequest, slug: str, event_pk: int) -> HttpResponse:
    """Take back what was said of a message, and look at it again."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    event = _load(request, assistant, event_pk)
    try:
        corrections.undo(actor=signed_in(request), event=event, said_at=moment_in(request.POST, "said_at"))
    except DomainError as error:
        messages.error(request, error.message)
    query = filter_query(request)
    return redirect(f"{_address(slug, request)}{'&' if query else '?'}m={event.pk}")


@require_POST
def hold(request: HttpRequest, slug: str, event_pk: int) -> HttpResponse:
    """Keep the message, and the one that the page has ready. 409 when somebody else has it, or the page was left."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    event = _load(request, assistant, event_pk)
    is_held = inbox.hold(actor=signed_in(request), event=event, page=_page(request))
    return HttpResponse(status=204 if is_held else 409)


@require_POST
def leave(request: HttpRequest, slug: str, event_pk: int) -> HttpResponse:
    """Whoever leaves a message lets others have it; whoever leaves the page, the one that was ready behind it too."""
    load_readable(request, slug, Permission.CONVERSATIONS_FLAG)
    ready = request.POST.get("next", "")
    keys = [event_pk, *([int(ready)] if ready.isdecimal() and len(ready) <= 18 else [])]
    is_gone = "gone" in request.POST
    inbox.release(actor=signed_in(request), event_ids=keys, page=_page(request), is_gone=is_gone)
    return HttpResponse(status=204)


def filter_query(request: HttpRequest) -> str:
    """Only the filters of the address, with a question mark when there are any."""
    kept = request.GET.copy()
    for name in list(kept):
        if name not in InboxFilter.base_fields or not kept[name]:
            del kept[name]
    return f"?{kept.urlencode()}" if kept else ""


def _address(slug: str, request: HttpRequest) -> str:
    return reverse("conversations:inbox", args=[slug]) + filter_query(request)


def _load(request: HttpRequest, assistant: Assistant, pk: int) -> Asked:
    """A message of the assistant that the person may correct."""
    event = inbox.messages().filter(conversation__assistant=assistant, kind="user", pk=pk).first()
    if event is None or not may_correct(signed_in(request), event.conversation):
        raise Http404("There is no such message, or you may not see it.")
    return event


def _asked(request: HttpRequest, assistant: Assistant) -> Asked | None:
    asked = request.GET.get("m", "")
    return _load(request, assistant, int(asked)) if asked.isdecimal() and len(asked) <= 18 else None


def _next(request: HttpRequest, assistant: Assistant, now: Event, last: Correction | None = None) -> HttpResponse:
    viewer = signed_in(request)
    filters = InboxFilter(request.GET, assistant=assistant, viewer=viewer)
    found = None
    if filters.is_valid():
        found = inbox.next_free(
            actor=viewer, wanted=filters.wanted(), after=now, skipped=_skipped(request), page=_page(request)
        )
    context = {
        "next": found and _shown(filters, found, is_held=True),
        "query": filter_query(request),
        "last": last,
        "filters": filters,
        **_progress(filters),
    }
    return render(request, "conversations/_inbox_next.html", context)


def _sent(request: HttpRequest) -> QueryDict:
    """By an answer, or by asking what follows."""
    return request.POST if request.method == "POST" else request.GET


def _page(request: HttpRequest) -> str:
    """The name that the page was given; empty when whoever asks has none."""
    name = _sent(request).get("page", "")
    return name if len(name) <= LONGEST_NAME else ""


def _skipped(request: HttpRequest) -> list[int]:
    sent = _sent(request).getlist("skipped")
    return [int(one) for one in sent[-SKIPPED:] if one.isascii() and one.isdecimal() and len(one) <= 18]


def _refused(request: HtmxHttpRequest, event: Asked, problem: str) -> HttpResponse:
    """The message again, with what was typed."""
    if not request.htmx:
        messages.error(request, problem)
        query = filter_query(request)
        page = reverse("conversations:inbox", args=[event.conversation.assistant.slug])
        return redirect(f"{page}{query}{'&' if query else '?'}m={event.pk}")
    assistant = event.conversation.assistant
    shown = _shown(InboxFilter(request.GET, assistant=assistant, viewer=signed_in(request)), event)
    if shown.correcting is not None:
        shown.correcting.problem = problem
        shown.correcting.typed = {name: request.POST.get(name, "") for name in ("intent", "entities")}
    context = {"message": shown, "query": filter_query(request)}
    return render(request, "conversations/_inbox_message.html", context, status=422)


def _shown(filters: InboxFilter, event: Asked, *, is_held: bool = False) -> Shown:
    items = timeline(window.until(event, BEFORE))
    at = next((at for at, one in enumerate(items) if isinstance(one, Message) and one.event_id == event.pk), 0)
    before = [one for one in items[:at] if isinstance(one, Message)][-WORDS_BEFORE:]
    viewer, words = filters.viewer, filters.vocabulary
    return Shown(
        event,
        correcting(viewer, event.conversation, event, words=words, is_held=is_held),
        before,
        event.model_name or event.model_id,
        len(inbox.same_words(viewer, event, filters.environments)),
    )


def _progress(filters: InboxFilter) -> dict[str, object]:
    if not filters.is_valid():
        return {"left": 0, "done": 0, "counted": COUNTED}
    left, done = inbox.progress(filters.wanted(), filters.assistant)
    return {"left": left, "done": done, "total": left + done, "counted": COUNTED}
