"""The list of conversations."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from conversations.causes import waiting_count
from conversations.filters import ConversationFilter
from conversations.models import Conversation
from conversations.naming import model_names
from conversations.paging import Cursor, newer_than, page_of
from conversations.presentation.items import UNSURE_BELOW
from conversations.querysets import ConversationQuerySet
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest

COUNTED = 99  # of new ones; beyond, more is all that matters


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    conversation: Conversation
    model: str

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
    before, after = (Cursor.parse(request.GET.get(name, "")) for name in ("before", "after"))
    matching = filters.apply(visible(request, assistant)).select_related("environment", "share_link", "talker")
    page = page_of(matching, before=before, after=after)
    names = model_names(assistant, {one.last_model_id for one in page.rows})
    context = {
        "filters": filters,
        "page": page,
        "rows": [Row(one, names.get(one.last_model_id, one.last_model_id)) for one in page.rows],
        "query": filter_query(request.GET).urlencode(),
        "newest": Cursor.of(page.rows[0]) if page.rows and not page.newer else None,
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


@require_safe
def new_conversations(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """How many conversations of the list came or went on since `top`; the list asks every few seconds."""
    assistant = load_assistant(request, slug)
    filters = ConversationFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    top = Cursor.parse(request.GET.get("top", ""))
    count = 0
    if top is not None:
        count = newer_than(filters.apply(visible(request, assistant)), top)[: COUNTED + 1].count()
    context = {"count": count, "counted": COUNTED, "newest": top, "query": filter_query(request.GET).urlencode()}
    return render(request, "conversations/_new.html", context)


def visible(request: HttpRequest, assistant: Assistant) -> ConversationQuerySet:
    return Conversation.objects.visible_to(signed_in(request)).filter(assistant=assistant)


def filter_query(query: QueryDict) -> QueryDict:
    """Only the filters of a query, for links between the list and its conversations."""
    kept = QueryDict(mutable=True)
    for name in ConversationFilter.base_fields:
        value = query.get(name)
        if isinstance(value, str) and value:
            kept[name] = value
    return kept
