"""What the team noted about a conversation, as its page shows it."""

from collections.abc import Mapping, Sequence

from django.http import HttpRequest
from django.urls import reverse

from conversations.models import Conversation, Mark
from conversations.views.conversation_list import filter_query
from models_app.data_loaders import may_see_data
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope


def find_in_data(person: User, assistant: Assistant) -> str:
    """The address that finds lines of the training data; empty for who may see none of it."""
    return reverse("models:data-find", args=[assistant.slug]) if may_see_data(person, assistant.pk) else ""


def standing(
    request: HttpRequest, conversation: Conversation, marks: Mapping[int | None, Sequence[Mark]]
) -> dict[str, object]:
    """Context of _standing.html and _reading_actions.html."""
    own = marks.get(None, [])
    return {
        "conversation": conversation,
        "own_marks": own,
        "flag": next((mark for mark in own if mark.kind == Mark.Kind.FLAG), None),
        "marked_messages": sum(1 for event_id in marks if event_id is not None),
        "new_since_review": max(0, conversation.events_count - conversation.reviewed_events),
        "may_flag": signed_in(request).may(
            Permission.CONVERSATIONS_FLAG, Scope(conversation.assistant_id, conversation.environment_id)
        ),
        "find_in_data": find_in_data(signed_in(request), conversation.assistant),
        "query": filter_query(request.GET).urlencode(),
    }
