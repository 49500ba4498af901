"""What was said in a conversation, and what people make of it: the intent meant, flags and tags of messages.

A message is named by the conversation's sender_id and its own timestamp, as Rasa Enterprise's scripts do.
"""

import json
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations import window
from conversations.api.facts import CorrectionOut, MessageOut, correction_facts, messages_of
from conversations.api.forms import checked
from conversations.api.talking import BotMessage, Saying, nonce_of, say_in, settle, unanswered
from conversations.api.trackers import page_of
from conversations.chat import once
from conversations.chat.rewinding import take_back
from conversations.chat.sending import NotAnswered
from conversations.chat.talking import refuse_flood
from conversations.chat.targets import target_of
from conversations.forms.corrections import CorrectionForm
from conversations.loaders import load_conversation_of, load_message_at, load_own_talk
from conversations.models import Event, TalkSession
from conversations.presentation.said import as_facts, said_in
from conversations.services import corrections
from conversations.services.corrections import Verdict
from environments.services.address import NoServer
from models_app.api.paths import of_each
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.web.api import repeats
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging

router = Router(tags=["conversations"])

SAID = ("user", "bot", "agent")
_LAST_SECOND = 253_402_300_799  # of the year 9999


class Seen(Schema):
    expected_at: float | None = Field(None, ge=0, le=_LAST_SECOND)


class EntityIn(Schema):
    """`start` and `end` are characters of the message's text; without a value it is what stands there."""

    start: int = Field(ge=0, le=10**6)
    end: int = Field(ge=0, le=10**6)
    entity: str
    value: str = ""
    role: str = ""
    group: str = ""


class Rewinding(Body):
    """From the message at `timestamp` on; without one, the last."""

    timestamp: float | None = None


class TakenBackOut(Schema):
    """What the first of the messages was, and how many they are."""

    text: str
    messages: int


class Meant(Body):
    """Without `entities` those that NLU found stay; an `intent` of null says that the message is no example."""

    intent: str | None
    entities: list[EntityIn] | None = None


@of_each(
    router.get,
    "/conversations/{path:sender}/messages",
    summary="What was said in a conversation",
    url_name="conversation-messages",
    response=list[MessageOut],
)
def said(
    request: HttpRequest, response: HttpResponse, slug: Path[str], sender: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """In its order, with what NLU made of it and what people noted."""
    conversation = load_conversation_of(request, slug, sender)
    spoken = window.all_of(conversation).filter(kind__in=SAID)
    return messages_of(conversation, page_of(request, response, conversation, spoken, paging))


@of_each(
    router.post,
    "/conversations/{path:sender}/messages",
    summary="Say something in one's own conversation",
    url_name="conversation-messages",
    response=list[BotMessage],
    openapi_extra=repeats.OWN,
)
def talk(request: HttpRequest, slug: Path[str], sender: Path[str], body: Saying) -> HttpResponse:
    """One that `POST …/chat` or Talk has begun. Nobody speaks in somebody else's. Answers what the assistant says."""
    session = load_own_talk(request, slug, sender)
    return say_in(request, body, target_of(session), session, named=session.sender_id)


@of_each(
    router.post,
    "/conversations/{path:sender}/rewind",
    summary="Take back what one said",
    url_name="conversation-rewind",
    response=TakenBackOut,
    openapi_extra=repeats.OWN,
)
def rewind(request: HttpRequest, slug: Path[str], sender: Path[str], body: Rewinding | None = None) -> Any:
    """In one's own conversation: Rasa goes on from before that message. Nothing is deleted."""
    session = load_own_talk(request, slug, sender)
    refuse_flood(signed_in(request))
    place = repr(body.timestamp) if body and body.timestamp is not None else ""
    claim = f"rewind:{session.pk}:{place}", nonce_of(request)
    try:
        known = once.claim(*claim)
        return known if known is not None else _take_back_once(session, place, claim)
    except (NotAnswered, NoServer) as error:
        return unanswered(error, session.environment)


def _take_back_once(session: TalkSession, place: str, claim: tuple[str, str]) -> once.Json:
    with once.or_else(once.lose, *claim):
        try:
            taken = take_back(session=session, place=place)
        except DomainError as error:
            settle(error, claim)
            raise
        facts: once.Json = {"text": taken.text, "messages": taken.count}
        once.keep(*claim, facts)
        return facts


@of_each(
    router.put,
    "/conversations/{path:sender}/messages/{timestamp}/intent",
    summary="Say what a message meant",
    url_name="message-intent",
    response=CorrectionOut,
)
def correct(
    request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float], body: Meant
) -> dict[str, Any]:
    """Confirms or corrects it, also wherever the same words wait. It waits as an example until somebody accepts it."""
    event = load_message_at(request, slug, sender, timestamp)
    return correction_facts(corrections.correct(actor=signed_in(request), event=event, verdict=verdict_of(event, body)))


@of_each(
    router.delete,
    "/conversations/{path:sender}/messages/{timestamp}/intent",
    summary="Take back what was said of a message",
    url_name="message-intent",
    response={204: None},
)
def undo(
    request: HttpRequest, slug: Path[str], sender: Path[str], timestamp: Path[float], seen: Query[Seen]
) -> Status[None]:
    """Back to what somebody had said of it before; else it waits to be looked at again.

    `expected_at` is the `at` of the correction that is meant: 409 when another stands there now. Left out, it is not
    compared."""
    event = load_message_at(request, slug, sender, timestamp)
    said_at = None if seen.expected_at is None else datetime.fromtimestamp(seen.expected_at, UTC)
    corrections.undo(actor=signed_in(request), event=event, said_at=said_at)
    return Status(204, None)


def verdict_of(event: Event, meant: Meant) -> Verdict:
    """By the page's own form. Raises Invalid."""
    said = said_in(event)
    entities = as_facts(said.annotations) if meant.entities is None else [one.dict() for one in meant.entities]
    act = "ignore" if meant.intent is None else "save"
    form = CorrectionForm({"act": act, "intent": meant.intent or "", "entities": json.dumps(entities)}, text=said.text)
    checked(form)
    return form.verdict
