"""A conversation as stories: to read, and to keep in the training data."""

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Path, Query, Router, Schema, Status

from conversations import window
from conversations.loaders import load_conversation_of
from conversations.models import Conversation
from conversations.presentation.stories import Kind, Story, file_yaml, stories_of
from conversations.services.stories import NEW_FILES, meant_in, save_stories
from models_app.api.paths import of_each
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.web.api.bodies import Body

router = Router(tags=["conversations"])


class StoryWish(Schema):
    """`training` is a story to train with, `test` one to test with."""

    kind: Literal["training", "test"] = "training"
    name: str = Field("", max_length=120)


class StoryKept(Body):
    """`file` is a path in the training data, which may be new; without one it is the usual file of conversations."""

    kind: Literal["training", "test"] = "training"
    name: str = Field("", max_length=120)
    file: str = Field("", max_length=300)


class StoriesOut(Schema):
    """`yaml` is a whole file; empty where nothing was said. `is_part`: of a very long conversation only the end."""

    kind: str
    stories: int
    yaml: str
    is_part: bool


class KeptOut(Schema):
    revision: int
    file: str
    stories: int


@of_each(
    router.get,
    "/conversations/{path:sender}/stories",
    summary="A conversation as stories",
    url_name="conversation-stories",
    response=StoriesOut,
)
def stories(request: HttpRequest, slug: Path[str], sender: Path[str], wish: Query[StoryWish]) -> dict[str, Any]:
    """A story for each session, with what people said of the messages."""
    conversation = load_conversation_of(request, slug, sender)
    shown = window.latest(conversation)
    found = _stories(conversation, shown, wish)
    yaml = file_yaml(found) if found else ""
    return {"kind": wish.kind, "stories": len(found), "yaml": yaml, "is_part": not shown.is_whole}


@of_each(
    router.post,
    "/conversations/{path:sender}/stories",
    summary="Keep a conversation as stories",
    url_name="conversation-stories",
    response={201: KeptOut},
)
def keep(request: HttpRequest, slug: Path[str], sender: Path[str], body: StoryKept) -> Status[dict[str, Any]]:
    """As the next revision of the training data. Refused where the stories do not fit its domain."""
    conversation = load_conversation_of(request, slug, sender)
    require(signed_in(request), Permission.STORIES_MODIFY, Scope(conversation.assistant_id))
    found = _stories(conversation, window.latest(conversation), body)
    path = body.file or NEW_FILES[body.kind]
    revision = save_stories(
        actor=signed_in(request), conversation=conversation, stories=found, kind=body.kind, path=path
    )
    return Status(201, {"revision": revision.number, "file": path, "stories": len(found)})


def _stories(conversation: Conversation, shown: window.Window, wish: StoryWish | StoryKept) -> list[Story]:
    name = " ".join(wish.name.split()) or f"conversation {conversation.pk}"
    kind: Kind = wish.kind
    return list(stories_of(shown.events, kind, name, meant_in(conversation)))
