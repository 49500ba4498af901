"""The conversations before and after one in the list that the reader came from, and its own place there."""

from dataclasses import dataclass

from django.http import HttpRequest

from conversations.filters import ConversationFilter
from conversations.models import Conversation
from conversations.paging import Cursor
from conversations.views.conversation_list import filter_query
from studio.access.loaders import signed_in


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Their keys. By their place in the list, so that one which a filter no longer holds has neighbours as well."""

    previous: int | None
    next: int | None
    place: Cursor


def list_of(request: HttpRequest, conversation: Conversation) -> ConversationFilter:
    """The list that the reader came from."""
    return ConversationFilter(filter_query(request.GET), assistant=conversation.assistant, viewer=signed_in(request))


def neighbours(filters: ConversationFilter, conversation: Conversation) -> Neighbours:
    listing = filters.listing()
    return Neighbours(*listing.keys_beside(conversation), listing.order.cursor(conversation))
