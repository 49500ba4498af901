"""Why the assistant answered as it did in one turn of a Talk: from the stored events, or, within a second of the answer
and where no events arrive, from Rasa's own memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from conversations import window
from conversations.chat.transcript import conversation_of, memory_of
from conversations.chat.turns import Turn, turns_of
from conversations.models import Conversation, Event, TalkSession
from conversations.presentation import StoredEvent
from conversations.presentation.applied import LISTEN, repeats, rewound_to
from conversations.presentation.explained import Explanation, explained, turn_around
from conversations.presentation.reading import loaded, text_of


@dataclass(frozen=True, slots=True)
class Why:
    """One turn. `place` is how the page names it (`Turn.place`); `event` is its message's row, when it is stored."""

    turn: Explanation
    place: str
    conversation: Conversation | None
    event: Event | None


def why(session: TalkSession, asked: str, after: float) -> Why | None:
    """The turn whose first event is at the time `asked`; empty asks for the last one, which ended after `after`.

    None when there is no such turn, or nobody can say.
    """
    conversation = conversation_of(session)
    if conversation is not None:
        events = window.latest(conversation).events
        if (at := _at(events, asked, after)) is not None:
            return _why(events, at, conversation)
    memory = memory_of(session)
    at = _at(memory, asked, after)
    return None if at is None else _why(memory, at, conversation)


def turns_explained(session: TalkSession) -> list[tuple[Turn, Explanation | None]]:
    """The conversation without what was taken back; each turn that somebody asked for with its explanation."""
    conversation = conversation_of(session)
    events = list(window.latest(conversation).events) if conversation is not None else memory_of(session)
    places = {repr(event.timestamp): at for at, event in enumerate(events)}
    stands = [turn for turn in turns_of(events) if not turn.is_undone]
    return [(turn, _explained(events, places[turn.place]) if turn.asked else None) for turn in stands]


def _explained(events: Sequence[StoredEvent], at: int) -> Explanation:
    begins, ends = turn_around(events, at)
    return explained(events[:begins], events[begins:ends])


def _why(events: Sequence[StoredEvent], at: int, conversation: Conversation | None) -> Why:
    begins, _ = turn_around(events, at)
    first = events[begins]
    row = first if isinstance(first, Event) and first.kind == "user" else None
    return Why(_explained(events, at), repr(events[at].timestamp), conversation, row)


def _at(events: Sequence[StoredEvent], asked: str, after: float) -> int | None:
    """Where the turn begins. The last one counts only whole: else memory, which has all of it, is asked."""
    if asked:
        return next((at for at, one in enumerate(events) if repr(one.timestamp) == asked), None)
    said = [at for at, one in enumerate(events) if one.kind == "user" and not repeats(loaded(one.payload))]
    while said and _is_undone(events, said[-1]):
        said.pop()
    if not said or events[said[-1]].timestamp <= after:
        return None
    return said[-1] if any(_listens(one) for one in events[said[-1] :]) else None


def _is_undone(events: Sequence[StoredEvent], at: int) -> bool:
    back = (rewound_to(loaded(one.payload)) for one in events[at + 1 :] if one.kind == "rewind")
    return any(to is not None and to <= events[at].timestamp for to in back)


def _listens(event: StoredEvent) -> bool:
    return event.kind == "action" and text_of(loaded(event.payload).get("name")) == LISTEN
