"""Flags and tags on conversations and on their messages, with notes; the team's review, and what each has read."""

from typing import Any

from django.http import HttpRequest
from ninja import Field, Path, Router, Schema, Status

from conversations.loaders import load_conversation_of, load_event_at
from conversations.models import Mark
from conversations.services import marks, review
from conversations.services.marks import LONGEST_NOTE, Target, marks_of, tag_name
from models_app.api.paths import of_each
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.web.api.bodies import Body

router = Router(tags=["review"])

FLAG = Permission.CONVERSATIONS_FLAG
REVIEW = {"unread": "", "reviewed": "reviewed", "saved_for_later": "saved"}  # Rasa Enterprise's words: ours


class Note(Body):
    note: str = Field("", max_length=LONGEST_NOTE, description="Without one, a note that is there stays.")


class MarkOut(Schema):
    """A flag has no name. `message_timestamp` is null where it stands on the conversation itself."""

    kind: str
    name: str
    note: str
    by: str | None
    at: float
    message_timestamp: float | None


class ReviewIn(Body):
    """`unread`, `reviewed` or `saved_for_later`; or `undo`, which an earlier answer gave."""

    review_status: str = Field("", description="unread, reviewed or saved_for_later")
    undo: str = ""


class ReviewOut(Schema):
    """`undo` sent back brings back what was there before; empty where nothing changed."""

    review_status: str
    undo: str


class Read(Body):
    until: float | None = Field(None, description="A time of an event; without one all of it was read.")


@of_each(
    router.put,
    "/conversations/{path:sender}/messages/{timestamp}/flag",
    summary="Flag a message",
    url_name="message-flag",
    response={204: None},
)
def flag_message(
    request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float], body: Note | None = None
) -> Status[None]:
    return _set(request, _message(request, slug, sender, timestamp), "", body)


@of_each(
    router.delete,
    "/conversations/{path:sender}/messages/{timestamp}/flag",
    summary="Take the flag off a message",
    url_name="message-flag",
    response={204: None},
)
def unflag_message(request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float]) -> Status[None]:
    return _remove(request, _message(request, slug, sender, timestamp), "")


@of_each(
    router.put,
    "/conversations/{path:sender}/messages/{timestamp}/tags/{tag}",
    summary="Tag a message",
    url_name="message-tag",
    response={204: None},
)
def tag_message(
    request: HttpRequest,
    slug: Path[str],
    sender: Path[str],
    timestamp: Path[float],
    tag: Path[str],
    body: Note | None = None,
) -> Status[None]:
    return _set(request, _message(request, slug, sender, timestamp), tag_name(tag), body)


@of_each(
    router.delete,
    "/conversations/{path:sender}/messages/{timestamp}/tags/{tag}",
    summary="Take a tag off a message",
    url_name="message-tag",
    response={204: None},
)
def untag_message(
    request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float], tag: Path[str]
) -> Status[None]:
    return _remove(request, _message(request, slug, sender, timestamp), tag_name(tag))


@of_each(
    router.put,
    "/conversations/{path:sender}/flag",
    summary="Flag a conversation",
    url_name="conversation-flag",
    response={204: None},
)
def flag(request: HttpRequest, slug: Path[str], sender: Path[str], body: Note | None = None) -> Status[None]:
    return _set(request, Target(load_conversation_of(request, slug, sender, FLAG)), "", body)


@of_each(
    router.delete,
    "/conversations/{path:sender}/flag",
    summary="Take the flag off a conversation",
    url_name="conversation-flag",
    response={204: None},
)
def unflag(request: HttpRequest, slug: Path[str], sender: Path[str]) -> Status[None]:
    return _remove(request, Target(load_conversation_of(request, slug, sender, FLAG)), "")


@of_each(
    router.put,
    "/conversations/{path:sender}/tags/{tag}",
    summary="Tag a conversation",
    url_name="conversation-tag",
    response={204: None},
)
def tag(
    request: HttpRequest, slug: Path[str], sender: Path[str], tag: Path[str], body: Note | None = None
) -> Status[None]:
    return _set(request, Target(load_conversation_of(request, slug, sender, FLAG)), tag_name(tag), body)


@of_each(
    router.delete,
    "/conversations/{path:sender}/tags/{tag}",
    summary="Take a tag off a conversation",
    url_name="conversation-tag",
    response={204: None},
)
def untag(request: HttpRequest, slug: Path[str], sender: Path[str], tag: Path[str]) -> Status[None]:
    return _remove(request, Target(load_conversation_of(request, slug, sender, FLAG)), tag_name(tag))


@of_each(
    router.get,
    "/conversations/{path:sender}/marks",
    summary="Flags and tags of a conversation and its messages",
    url_name="conversation-marks",
    response=list[MarkOut],
)
def all_marks(request: HttpRequest, slug: Path[str], sender: Path[str]) -> list[dict[str, Any]]:
    conversation = load_conversation_of(request, slug, sender)
    found = Mark.objects.filter(conversation=conversation).select_related("by", "event").order_by("pk")
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "note": one.note,
            "by": one.by.username if one.by else None,
            "at": one.at.timestamp(),
            "message_timestamp": one.event.timestamp if one.event else None,
        }
        for one in found
    ]


@of_each(
    router.put,
    "/conversations/{path:sender}/reviewStatus",
    summary="Say what the team made of a conversation",
    url_name="conversation-review",
    response=ReviewOut,
)
def set_review(request: HttpRequest, slug: Path[str], sender: Path[str], body: ReviewIn) -> dict[str, str]:
    """Reviewed, saved for later, or neither; or undo what was set."""
    conversation = load_conversation_of(request, slug, sender, FLAG)
    actor = signed_in(request)
    if body.undo:
        done = review.undo_review(actor=actor, conversation=conversation, undo=body.undo)
    else:
        state = REVIEW.get(body.review_status, body.review_status or "?")
        done = review.review(actor=actor, conversation=conversation, state=state)
    words = {ours: theirs for theirs, ours in REVIEW.items()}
    return {"review_status": words[done.state], "undo": done.undo}


@of_each(
    router.put,
    "/conversations/{path:sender}/read",
    summary="Mark a conversation as read by oneself",
    url_name="conversation-read",
    response={204: None},
)
def mark_read(request: HttpRequest, slug: Path[str], sender: Path[str], body: Read | None = None) -> Status[None]:
    conversation = load_conversation_of(request, slug, sender)
    until = conversation.last_event_at if body is None or body.until is None else body.until
    review.mark_read(actor=signed_in(request), conversation=conversation, until=until)
    return Status(204, None)


@of_each(
    router.delete,
    "/conversations/{path:sender}/read",
    summary="Mark a conversation as unread by oneself",
    url_name="conversation-read",
    response={204: None},
)
def mark_unread(request: HttpRequest, slug: Path[str], sender: Path[str]) -> Status[None]:
    review.mark_unread(actor=signed_in(request), conversation=load_conversation_of(request, slug, sender))
    return Status(204, None)


def _message(request: HttpRequest, slug: str, sender: str, timestamp: float) -> Target:
    conversation = load_conversation_of(request, slug, sender, FLAG)
    return Target(conversation, load_event_at(conversation, timestamp))


def _set(request: HttpRequest, target: Target, name: str, note: Note | None) -> Status[None]:
    """A tag, or the flag when it has no name."""
    actor, words = signed_in(request), note.note if note else ""
    if name:
        mark = marks.set_tag(actor=actor, target=target, name=name, note=words)
    else:
        mark = marks.set_flag(actor=actor, target=target, note=words)
    if words and mark.note != words:
        marks.set_note(actor=actor, mark=mark, note=words)
    return Status(204, None)


def _remove(request: HttpRequest, target: Target, name: str) -> Status[None]:
    """Whoever set it; none there is as good."""
    found = marks_of(target.conversation).get(target.event.pk if target.event else None, [])
    for one in found:
        if one.name == name:
            marks.remove_mark(actor=signed_in(request), mark=one)
    return Status(204, None)
