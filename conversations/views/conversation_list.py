"""The list of conversations."""

import contextlib
from dataclasses import dataclass, replace

from django.forms import BooleanField, BoundField, ChoiceField, DateTimeField
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from conversations import paging
from conversations.causes import waiting_count
from conversations.filters import ConversationFilter
from conversations.models import Conversation, Event, SavedFilter
from conversations.paging import NEWEST, ORDERS, Cursor, Page, page_around, page_of
from conversations.presentation.items import UNSURE_BELOW
from conversations.search.snippets import Snippet, snippets
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest
from studio.web.query_time import TookTooLong, at_most

TITLE = 120  # characters that a row shows of the first message
COUNTING = 3.0  # seconds, at most
COUNTED = 99  # of new ones; beyond, more is all that matters


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    conversation: Conversation  # as `for_rows` reads it
    snippet: Snippet | None  # of what was searched for
    is_here: bool  # where the reader comes back from

    @property
    def model(self) -> str:
        """That answered last; its name where people know one."""
        name: str | None = self.conversation.model_name  # type: ignore[attr-defined]
        return self.conversation.last_model_id if name is None else name

    @property
    def is_unread(self) -> bool:
        """Whether the viewer has not read it to its end."""
        until: float | None = self.conversation.read_until  # type: ignore[attr-defined]
        return until is None or until < self.conversation.last_event_at

    @property
    def says_more(self) -> bool:
        """Whether what was searched for stands elsewhere than in the title."""
        title = self.conversation.first_text[:TITLE].casefold()
        return self.snippet is not None and self.snippet.found.casefold() not in title

    @property
    def doubt(self) -> tuple[str, str] | None:
        """Kind and words of what NLU had trouble with, if it had."""
        one = self.conversation
        if one.fallback_count:
            return "failed", "1 not understood" if one.fallback_count == 1 else f"{one.fallback_count} not understood"
        if one.min_confidence is not None and one.min_confidence < UNSURE_BELOW:
            return "warning", f"unsure {one.min_confidence:.2f}"
        return None


@require_safe
def conversation_list(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    viewer = signed_in(request)
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=viewer)
    page = _page(request, filters)
    context = {
        "filters": filters,
        "page": page,
        "rows": _rows(page, filters.text),
        "query": filter_query(request.GET).urlencode(),
        "chips": _chips(request, filters),
        "orders": ORDERS.values(),
        "saved": SavedFilter.objects.visible_to(viewer).filter(assistant=assistant).select_related("owner"),
        "newest": NEWEST.cursor(page.rows[0]) if page.rows and not page.newer and filters.order is NEWEST else None,
        "is_searched": filters.is_used,
        "may_see_environments": viewer.may_somewhere(Permission.ENVIRONMENTS_VIEW, assistant.pk),
        "may_talk": viewer.may_somewhere(Permission.TALK, assistant.pk),
        "may_share": viewer.may_somewhere(Permission.SHARE, assistant.pk),
        "may_erase": viewer.may_somewhere(Permission.CONVERSATIONS_ERASE, assistant.pk),
        "may_erase_all": viewer.may(Permission.CONVERSATIONS_ERASE, Scope(assistant.pk)),
        "sees_own_only": not viewer.may_somewhere(Permission.CONVERSATIONS_VIEW, assistant.pk),
        "unreadable": waiting_count(viewer, assistant.pk, counted=COUNTED),
        "counted": COUNTED,
    }
    return render(request, "conversations/list.html", context, status=200 if filters.is_valid() else 422)


def _page(request: HttpRequest, filters: ConversationFilter) -> Page:
    before, after, around = (Cursor.parse(request.GET.get(name, "")) for name in ("before", "after", "around"))
    listing = filters.listing()
    listing = replace(listing, everything=listing.everything.for_rows(filters.viewer))
    return page_around(listing, around) if around else page_of(listing, before=before, after=after)


def _rows(page: Page, text: str) -> list[Row]:
    """`text` is what was searched for."""
    found = snippets(page.rows, text)
    return [Row(one, found.get(one.pk), is_here=at == page.here) for at, one in enumerate(page.rows)]


def _chips(request: HttpRequest, filters: ConversationFilter) -> list[tuple[str, str, str]]:
    """Label, value and the address without it, of each filter in use that the bar has no field for."""
    found = []
    for field in filters.more_used:
        query = filter_query(request.GET)
        del query[field.name]
        found.append((str(field.label), _in_words(field), query.urlencode()))
    return found


def _in_words(field: BoundField) -> str:
    kind, value = field.field, str(field.data)
    if isinstance(kind, BooleanField):
        return ""
    if isinstance(kind, ChoiceField):
        return next((one.choice_label for one in field.subwidgets if one.data["selected"]), value)
    return value.replace("T", " ") if isinstance(kind, DateTimeField) else value


@require_safe
def conversation_count(request: HttpRequest, slug: str) -> HttpResponse:
    """How many there are: loaded after the list, because counting takes longer than showing the first."""
    assistant = load_assistant(request, slug)
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    count = None
    with contextlib.suppress(TookTooLong), at_most(COUNTING):
        count = filters.listing().count()
    return render(request, "conversations/_count.html", {"count": count, "most": paging.COUNTED})


@require_safe
def filter_names(request: HttpRequest, slug: str) -> HttpResponse:
    """What can be written into the fields behind "More filters": loaded when somebody opens them."""
    assistant = load_assistant(request, slug)
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    return render(request, "conversations/_filter_names.html", {"names": filters.names})


@require_safe
def new_conversations(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """How many conversations of the list came or went on since `top`; the list asks every few seconds."""
    assistant = load_assistant(request, slug)
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    top = Cursor.parse(request.GET.get("top", ""))
    count = 0
    if top is not None:
        count = len(filters.listing().before(top, COUNTED + 1))
    context = {"count": count, "counted": COUNTED, "newest": top, "query": filter_query(request.GET).urlencode()}
    return render(request, "conversations/_new.html", context)


def filter_query(query: QueryDict) -> QueryDict:
    """Only the filters of a query, for links between the list and its conversations."""
    kept = QueryDict(mutable=True)
    for name in ConversationFilter.base_fields:
        value = query.get(name)
        if isinstance(value, str) and value:
            kept[name] = value
    return kept


def address_in_list(request: HttpRequest, conversation: Conversation, event: Event | None = None) -> str:
    """Of a conversation's page, or of a message on it, with the filters that the request came with."""
    query = filter_query(request.GET)
    page = reverse("conversations:detail", args=[conversation.assistant.slug, conversation.pk])
    if event is None:
        return f"{page}?{query.urlencode()}" if query else page
    query["at"] = query["m"] = str(event.pk)
    return f"{page}?{query.urlencode()}#e{event.pk}"
