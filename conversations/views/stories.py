"""A conversation to take along: as stories for the training data, and as Rasa's own JSON."""

from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from conversations import window
from conversations.forms.stories import StoryForm
from conversations.loaders import load_conversation
from conversations.models import Conversation
from conversations.presentation.stories import Kind, Story, file_yaml, stories_of
from conversations.presentation.tracker import tracker_json
from conversations.services.stories import NEW_FILES, line_of, meant_in, save_stories, story_files
from models_app.models import Revision
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.dialogs import refuse
from studio.web.htmx import HtmxHttpRequest

CHUNK = 500
KINDS = {"training": "Training story", "test": "Test story"}


@require_http_methods(["GET", "HEAD", "POST"])
def story(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """A dialog with the stories of the part that the page shows; sent, they are kept in the training data."""
    conversation = load_conversation(request, slug, pk)
    kind = cast(Kind, asked if (asked := request.GET.get("kind", "")) in KINDS else "training")
    place = Scope(conversation.assistant_id)
    if request.method == "POST":
        require(signed_in(request), Permission.STORIES_MODIFY, place)
    shown = window.at(conversation, request.GET.get("at", ""))
    form = _form(request, conversation, kind)
    name = form["name"].value() or _name(conversation)
    meant = meant_in(conversation)
    stories = stories_of(shown.events, kind, " ".join(str(name).split()), meant)
    revision = _save(request, conversation, kind, form, stories) if form.is_bound and form.is_valid() else None
    context = {
        "heading": "Story",
        "conversation": conversation,
        "kind": kind,
        "kinds": KINDS,
        "text": file_yaml(stories) if stories else "",
        "is_part": shown.has_earlier or shown.has_later,
        "at": request.GET.get("at", ""),
        "form": form,
        "revision": revision,
        "path": form.chosen_path if revision else "",
        "line": line_of(revision, form.chosen_path, stories[0]) if revision else None,
        "has_corrections": any(event.pk in meant for event in shown.events),
        "may_save": signed_in(request).may(Permission.STORIES_MODIFY, place),
    }
    return render(request, "conversations/story.html", context, status=422 if form.is_bound and not revision else 200)


def _form(request: HttpRequest, conversation: Conversation, kind: Kind) -> StoryForm:
    asked = request.GET.get("name", "") or _name(conversation)
    files = story_files(conversation.assistant, kind)
    return StoryForm(request.POST or None, files=files, new_file=NEW_FILES[kind], initial={"name": asked})


def _name(conversation: Conversation) -> str:
    return f"conversation {conversation.pk}"


def _save(
    request: HttpRequest, conversation: Conversation, kind: Kind, form: StoryForm, stories: list[Story]
) -> Revision | None:
    try:
        return save_stories(
            actor=signed_in(request),
            conversation=conversation,
            stories=stories,
            kind=kind,
            path=form.chosen_path,
        )
    except DomainError as error:
        refuse(form, error)
        return None


@require_safe
def download(request: HttpRequest, slug: str, pk: int) -> StreamingHttpResponse:
    """All of it, however long: a few hundred events are in memory at a time."""
    conversation = load_conversation(request, slug, pk)
    events = window.all_of(conversation).iterator(chunk_size=CHUNK)
    pieces = tracker_json(conversation.sender_id, events)
    response = StreamingHttpResponse(pieces, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="conversation-{conversation.pk}.json"'
    return response
