"""A conversation to take along: as stories for the training data, and as Rasa's own JSON."""

from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from conversations import window
from conversations.loaders import load_conversation
from conversations.presentation.stories import Kind, stories_yaml
from conversations.presentation.tracker import tracker_json
from studio.web.htmx import HtmxHttpRequest

CHUNK = 500
KINDS = {"training": "Training story", "test": "Test story"}


@require_safe
def story(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """A dialog with the stories of the part that the page shows."""
    conversation = load_conversation(request, slug, pk)
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else "training"
    shown = window.at(conversation, request.GET.get("at", ""))
    context = {
        "heading": "Story",
        "conversation": conversation,
        "kind": kind,
        "kinds": KINDS,
        "text": stories_yaml(shown.events, cast(Kind, kind), f"conversation {conversation.pk}"),
        "is_part": shown.has_earlier or shown.has_later,
        "at": request.GET.get("at", ""),
    }
    return render(request, "conversations/story.html", context)


@require_safe
def download(request: HttpRequest, slug: str, pk: int) -> StreamingHttpResponse:
    """All of it, however long: a few hundred events are in memory at a time."""
    conversation = load_conversation(request, slug, pk)
    events = window.all_of(conversation).iterator(chunk_size=CHUNK)
    pieces = tracker_json(conversation.sender_id, events)
    response = StreamingHttpResponse(pieces, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="conversation-{conversation.pk}.json"'
    return response
