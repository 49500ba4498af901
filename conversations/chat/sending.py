"""Saying something to an environment's assistant, over Rasa's `rasa` channel."""

import time
from typing import Any

import structlog

from conversations.chat.sessions import note_said
from conversations.chat.targets import target_of
from conversations.chat.turns import Turn, answered
from conversations.models import TalkSession
from studio.crypto import decrypt
from studio.errors import DomainError
from studio.rasa import client as rasa
from studio.rasa.client import RasaError
from studio.rasa.signing import chat_token

log = structlog.get_logger()

TIMEOUT = 30.0

# What people read names no address: who may talk need not know where the server is.
_SENTENCES: dict[type[RasaError], tuple[str, str]] = {
    rasa.TimedOut: (
        "timeout",
        "The assistant did not answer in time. It may be loading a model, or waiting for an action server. "
        "Your message is kept below: send it again in a moment.",
    ),
    rasa.Refused: (
        "refused",
        "The Rasa server does not run, or does not listen at its address. Start it, then send the message again.",
    ),
    rasa.WrongAddress: (
        "address",
        "The address of the Rasa server is wrong, or one that may not be called. Correct it on the environment's page.",
    ),
    rasa.Unreachable: (
        "unreachable",
        "The connection to the Rasa server broke, or it is not trusted. Send the message again in a moment.",
    ),
    rasa.NoModel: (
        "no-model",
        "The Rasa server has no model yet, so nobody answers. Promote one to this environment; the server takes it "
        "within seconds.",
    ),
    rasa.NoChatChannel: (
        "no-channel",
        "The Rasa server has no `rasa` channel. Add it to its credentials.yml as the environment's page shows, and "
        "restart the server.",
    ),
    rasa.ServerError: (
        "failed",
        "Rasa failed on this message, or it could not check our signature. Its credentials.yml must name the address "
        "that the environment's page shows; the server's log says which of the two it was.",
    ),
    rasa.NotAllowed: ("not-allowed", "Rasa does not let us speak in this conversation. Begin a new one."),
    rasa.NotRasa: (
        "not-rasa",
        "What answers at the server's address is not Rasa. Correct it on the environment's page.",
    ),
}
_NOT_KNOWN = (
    " It is not known whether it heard your message, which is kept below: look at the conversation before you send it "
    "again."
)
_SLOW = "The assistant did not answer in time. It may be loading a model, or waiting for an action server."
_BROKE = "The connection to the Rasa server broke before it had answered."
_NOT_REACHED = "The Rasa server cannot be reached: nothing answers at its address. Send the message again in a moment."
_OTHERWISE = ("failed", "The Rasa server did not take the message. The environment's page says more.")


class NotAnswered(DomainError):
    """The assistant could not be asked; the message says why and what to do."""

    code = "failed"


class MayBeHeard(NotAnswered):
    """It was sent, and the answer was lost: it may come with the events. Saying it again might say it twice."""

    code = "lost"


def say(*, session: TalkSession, text: str) -> tuple[Turn, float]:
    """Send `text` as the session's own speaker. The answers, and the seconds that they took; see `ask`."""
    replies, seconds = ask(session=session, text=text)
    return answered(replies, time.time()), seconds


def ask(*, session: TalkSession, text: str) -> tuple[list[dict[str, Any]], float]:
    """The answers as Rasa's channel gives them. Raises NotAnswered, or NoServer.

    Never sent twice: after MayBeHeard Rasa may still be working on it, and its answer arrives with the events. Any
    other NotAnswered says that it was not heard, or that Rasa failed on it.
    Noting what was answered is left to the caller (`note_answered`), who can do it when the answer is out.
    """
    structlog.contextvars.bind_contextvars(talk=session.pk)
    environment = session.environment
    address = target_of(session).address()
    token = chat_token(decrypt(environment.private_key_encrypted), session.sender_id)
    began = time.monotonic()
    try:
        replies = address.client(TIMEOUT).send(token, text)
    except RasaError as error:
        raise _explained(error, session, text) from error
    return replies, time.monotonic() - began


def _explained(error: RasaError, session: TalkSession, text: str) -> NotAnswered:
    found = _not_answered(error)
    if isinstance(found, MayBeHeard):
        note_said(session, text)
    log.info("chat not answered", environment=session.environment_id, code=found.code, error=error.message)
    return found


def _not_answered(error: RasaError) -> NotAnswered:
    is_late = isinstance(error, rasa.TimedOut)
    if error.may_have_arrived:
        return MayBeHeard((_SLOW if is_late else _BROKE) + _NOT_KNOWN, code="timeout" if is_late else "lost")
    if is_late:
        return NotAnswered(_NOT_REACHED, code="unreachable")
    code, sentence = explain(error)
    return NotAnswered(sentence, code=code)


def explain(error: RasaError) -> tuple[str, str]:
    """A stable word and a sentence with what to do, without the server's address."""
    return _SENTENCES.get(type(error), _OTHERWISE)
