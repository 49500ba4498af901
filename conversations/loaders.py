"""From a URL to a conversation: 404 when the viewer may not see it."""

from django.http import Http404, HttpRequest

from conversations.models import Conversation
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in


def load_conversation(request: HttpRequest, slug: str, pk: int) -> Conversation:
    assistant = load_assistant(request, slug)
    conversation = (
        Conversation.objects.visible_to(signed_in(request))
        .select_related("assistant", "environment", "share_link", "talker")
        .filter(assistant=assistant, pk=pk)
        .first()
    )
    if conversation is None:
        raise Http404("There is no such conversation, or you may not see it.")
    return conversation
