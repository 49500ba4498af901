"""The conversations before and after one in the list that the reader came from."""

from dataclasses import dataclass

from django.http import HttpRequest

from conversations.filters import ConversationFilter
from conversations.models import Conversation
from conversations.views.conversation_list import filter_query
from studio.access.loaders import signed_in


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Their keys. By their place in the list, so that one which a filter no longer holds has neighbours as well."""

    previous: int | None
    next: int | None


def neighbours(request: HttpRequest, conversation: Conversation) -> Neighbours:
    viewer = signed_in(request)
    filters = ConversationFilter(filter_query(request.GET), assistant=conversation.assistant, viewer=viewer)
    return Neighbours(*filters.listing().keys_beside(conversation))
