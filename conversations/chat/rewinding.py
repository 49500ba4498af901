"""Taking back what was said: from one message on, in Rasa's memory, so that the conversation goes on from there.

Nothing is deleted. Rasa is given events of its kind `rewind`, each taking back the last message that counts, and
it publishes them as all others; so our stored history says what happened. (Replacing the events by PUT would be no
choice: Rasa's SQL store keeps the old ones, and tells the broker nothing.) Because Rasa takes a form back as a whole,
the part of it that came before the message is said to Rasa again, marked as such.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from conversations.chat.sending import MayBeHeard, NotAnswered, explain
from conversations.chat.transcript import as_stored, rasa_of
from conversations.chat.turns import turns_of
from conversations.models import TalkSession
from conversations.presentation import StoredEvent
from conversations.presentation.applied import REWOUND_TO, SAID_AGAIN, applied, repeats
from conversations.presentation.reading import loaded, member, text_of
from studio.errors import Conflict
from studio.rasa import client as rasa
from studio.rasa.client import RasaError

log = structlog.get_logger()

TRIES = 3
SECONDS = 10.0
_KEPT = ("model_id", "assistant_id")  # by which the intake knows whose event it is
_BEGINS = ("restart", "session_started")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """`text` is what the first of the messages was; `count` how many they are."""

    text: str
    count: int


def take_back(*, session: TalkSession, place: str) -> TakenBack:
    """Take back the message at `place` (`Turn.place`; empty: the last one) and everything after it.

    Raises Conflict where there is nothing to take back, NotAnswered where Rasa cannot be asked, MayBeHeard where it
    was asked and its answer was lost.
    """
    try:
        client = rasa_of(session, SECONDS)
        events = as_stored(client.tracker(session.sender_id)["events"])
        target = _target(events, place)
        result = _result(events, target)
        for _ in range(TRIES):
            posted = rewinding(events, target)
            after = as_stored(client.append_events(session.sender_id, posted)["events"])
            if _is_last_before(after, len(posted), events[-1]):
                return result
            # Somebody spoke between our look and our rewind, in another tab: what was said then goes as well.
            events = as_stored(client.tracker(session.sender_id)["events"])
    except RasaError as error:
        raise _explained(error, session) from error
    raise Conflict("Something is being said in this conversation all the time. Try again in a moment.")


def _explained(error: RasaError, session: TalkSession) -> NotAnswered:
    log.info("nothing taken back", environment=session.environment_id, error=type(error).__name__)
    if isinstance(error, rasa.WrongToken | rasa.ApiDisabled):
        return NotAnswered(
            "The Rasa server does not let us into its HTTP API, so nothing can be taken back. The environment’s page "
            "says how to mend that.",
            code="no-api",
        )
    code, sentence = explain(error)
    kind = MayBeHeard if error.may_have_arrived else NotAnswered
    return kind(sentence.replace("Your message is kept below: send it again", "Try it again"), code=code)


def _target(events: Sequence[StoredEvent], place: str) -> StoredEvent:
    turns = [turn for turn in turns_of(events) if turn.was_said]
    standing = [turn.place for turn in turns if not turn.is_undone]
    place = place or (standing[-1] if standing else "")
    target = next((one for one in events if one.kind == "user" and repr(one.timestamp) == place), None)
    if target is None:
        raise Conflict("The assistant does not know this message, so it cannot take it back. Begin a new conversation.")
    if any(turn.place == place and turn.is_undone for turn in turns):
        raise Conflict("This message was taken back already.")
    at = events.index(target)
    if any(one.kind in _BEGINS for one in events[at:]):
        raise Conflict(
            "A restart or a new session came after this message: the assistant has forgotten it by itself, and there "
            "is no way back before it."
        )
    return target


def _result(events: Sequence[StoredEvent], target: StoredEvent) -> TakenBack:
    gone = [turn for turn in turns_of(events) if turn.begins_at >= target.timestamp and not turn.is_undone]
    return TakenBack(text_of(loaded(target.payload).get("text")), sum(turn.asked is not None for turn in gone))


def rewinding(events: Sequence[StoredEvent], target: StoredEvent) -> list[Json]:
    """What Rasa has to be given so that it stands where it stood before `target`, which is one of `events`."""
    events = _since_beginning(events)
    before = next(at for at, one in enumerate(events) if one.pk == target.pk)
    wanted = applied(events[:before])
    said = sum(one.kind == "user" for one in events)
    for number in range(1, said + 1):
        rewound: list[StoredEvent] = [_Rewind(0) for _ in range(number)]
        left = applied([*events, *rewound])
        if [one.pk for one in left] == [one.pk for one in wanted[: len(left)]]:
            break
    metadata = _metadata(target)
    rewinds = [{"event": "rewind", "metadata": {**metadata, "number": at + 1}} for at in range(number)]
    return [*rewinds, *(_again(one) for one in wanted[len(left) :])]


def _since_beginning(events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
    """Those since Rasa last forgot everything."""
    begins = (at for at in reversed(range(len(events))) if events[at].kind in _BEGINS)
    return events[next(begins, 0) :]


@dataclass(slots=True)
class _Rewind:
    """An event that is not there yet."""

    pk: int
    kind: str = "rewind"
    timestamp: float = 0.0
    payload: str = "{}"


def _metadata(target: StoredEvent) -> Json:
    metadata = member(loaded(target.payload), "metadata")
    return {key: metadata[key] for key in _KEPT if key in metadata} | {REWOUND_TO: target.timestamp}


def _again(event: StoredEvent) -> Json:
    """The same event at the time that it is now."""
    payload = loaded(event.payload)
    at = member(payload, "metadata").get(SAID_AGAIN) if repeats(payload) else event.timestamp
    payload.pop("timestamp", None)
    return {**payload, "metadata": {**member(payload, "metadata"), SAID_AGAIN: at}}


def _is_last_before(events: Sequence[StoredEvent], posted: int, last: StoredEvent) -> bool:
    """Whether nothing came between the last event that we knew and those that we posted."""
    if len(events) <= posted:
        return True  # the session began with what we posted
    before = events[-posted - 1]
    return (before.kind, before.timestamp) == (last.kind, last.timestamp)
