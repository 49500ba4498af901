"""Saying something to an assistant as the token's person: whatever is said once is answered once."""

import json
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Field, Schema
from pydantic import ConfigDict

from conversations.chat import once
from conversations.chat.sending import MayBeHeard, NotAnswered, ask
from conversations.chat.sessions import OF_PROGRAM, begin_talk, note_answered
from conversations.chat.talking import prepare
from conversations.chat.targets import Target, target_of
from conversations.forms.messages import LONGEST_MESSAGE
from conversations.models import TalkSession
from conversations.presentation.tracker import strict
from environments.models import Environment
from environments.services.address import WAKING, NoServer
from studio.access.loaders import signed_in
from studio.crypto import keyed_digest
from studio.errors import Conflict, DomainError
from studio.web.api.bodies import Body
from studio.web.api.errors import reason_of
from studio.web.api.failures import failure

Replies = list[dict[str, Any]]
_STATUS = {
    **dict.fromkeys(("timeout", "lost"), 504),
    **dict.fromkeys(("twice", "under-way", "reused"), 409),
    **dict.fromkeys(("no-server", "no-slot", WAKING), 503),
}
_SOON = 5  # seconds


class Saying(Body):
    """`nonce`, or the header Idempotency-Key, is a word of one's own: the same message with it is said once."""

    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE, pattern=r"\S")
    nonce: str = Field("", max_length=64)


class BotMessage(Schema):
    """As Rasa's channels answer it: one or more of text, image, buttons, custom, attachment."""

    model_config = ConfigDict(extra="allow")

    recipient_id: str


def say_in(
    request: HttpRequest, said: Saying, target: Target, session: TalkSession | None, *, named: str = ""
) -> HttpResponse:
    """What the assistant answers; nothing while it has no model. Without `session` a new one begins, unless the same
    was said already. `named` is the conversation that the request itself asked for."""
    person = signed_in(request)
    claim = f"api:{person.pk}", nonce_of(request, said)
    where = named or f"{target.environment.pk} {target}"
    try:
        prepare(person, target, said.message)
        known = once.claim(*claim)
        if known is not None:
            return answered(replies_of(known, said.message, where), str(known["conversation"]))
        with once.or_else(once.release, *claim):
            session = session or begin_talk(actor=person, target=target, prefix=OF_PROGRAM)
        return _say(session, said.message, claim, where)
    except DomainError as error:
        if not isinstance(error, NotAnswered) and error.code not in _STATUS:
            raise
        return unanswered(error, target.environment)


def _say(session: TalkSession, text: str, claim: tuple[str, str], where: str) -> HttpResponse:
    try:
        return answered(say_once(session, text, claim, where=where), session.sender_id)
    except DomainError as error:
        if is_without_model(error, target_of(session)):
            return answered([], session.sender_id)
        raise


def is_without_model(error: DomainError, target: Target) -> bool:
    """Whether nobody answers because no model is there yet: then there is nothing to answer, as in Rasa Enterprise. A
    server of ours is not even started without one."""
    is_ours = target.environment.kind == Environment.Kind.MANAGED
    return error.code == "no-model" or (isinstance(error, NoServer) and is_ours and target.answering is None)


def answered(replies: Replies, conversation_id: str) -> HttpResponse:
    """As they came: what a schema does not name it would leave out."""
    is_plain = conversation_id.isascii() and conversation_id.isprintable()
    shown = conversation_id if is_plain else quote(conversation_id)
    return JsonResponse(replies, safe=False, headers={"X-Conversation-Id": shown})


def nonce_of(request: HttpRequest, said: Saying | None = None) -> str:
    return (said.nonce if said else "") or request.headers.get("Idempotency-Key", "")[:200].replace("\0", "")


def say_once(
    session: TalkSession, text: str, claim: tuple[str, str], *, recipient: str = "", where: str = ""
) -> Replies:
    """Raises what `ask` does."""
    with once.or_else(once.lose, *claim):
        try:
            answers, _seconds = ask(session=session, text=text)
        except DomainError as error:
            settle(error, claim)
            raise
        replies = [{**one, "recipient_id": recipient or session.sender_id} for one in answers]
        kept: Replies = json.loads(strict(json.dumps(replies)))
        note_answered(session, text)
        facts: once.Json = {"replies": kept, "conversation": session.sender_id, "asked": _asked(text, where)}
        once.keep(*claim, facts)
        return kept


def settle(error: DomainError, claim: tuple[str, str]) -> None:
    """What failed may be asked again with the same word, unless it may have come about."""
    (once.lose if isinstance(error, MayBeHeard) else once.release)(*claim)


def _asked(text: str, where: str) -> str:
    return keyed_digest("said", f"{where}\n{text}").hex()


def replies_of(known: once.Json, text: str, where: str = "") -> Replies:
    """What was answered to the same message. Raises Conflict when it was another."""
    if known["asked"] != _asked(text, where):
        raise Conflict("This nonce was used for another message. Take a new word for a new message.", code="reused")
    replies = known["replies"]
    assert isinstance(replies, list)
    return replies


def unanswered(error: DomainError, environment: Environment) -> HttpResponse:
    """The sentence says what to do; nothing was said unless it was a time-out. 503: the server may answer soon."""
    is_unset = error.code == "no-server" and environment.kind == Environment.Kind.UNSET
    status = 409 if is_unset else _STATUS.get(error.code, 502)
    response = failure(status, reason_of(error.code), error.message)
    if status == 503:
        response["Retry-After"] = str(_SOON)
    return response
