"""The conversations before and after one in the list that the reader came from."""

from dataclasses import dataclass

from django.http import HttpRequest

from conversations.filters import ConversationFilter
from conversations.models import Conversation
from conversations.paging import Cursor, newer_than, older_than
from conversations.views.lists import filter_query, visible
from studio.access.loaders import signed_in


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Their keys. By their place in the list, so that one which a filter no longer holds has neighbours as well."""

    previous: int | None
    next: int | None


def neighbours(request: HttpRequest, conversation: Conversation) -> Neighbours:
    listed = visible(request, conversation.assistant)
    if query := filter_query(request.GET):
        listed = ConversationFilter(query, assistant=conversation.assistant, viewer=signed_in(request)).apply(listed)
    here = Cursor.of(conversation)
    newer, older = (beyond(listed, here).values_list("pk", flat=True)[:1] for beyond in (newer_than, older_than))
    return Neighbours(next(iter(newer), None), next(iter(older), None))
