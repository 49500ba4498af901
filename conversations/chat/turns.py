"""A conversation as its own speaker sees it: what they said and what was answered, turn by turn. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from conversations.presentation import Message, StoredEvent, bot_message, reply_message, user_message
from conversations.presentation.applied import repeats, rewound_to
from conversations.presentation.reading import loaded, member, moment, text_of

RESTART = "/restart"
# The events that `turns_of` needs. Of actions only the one with which every turn of Rasa ends.
KINDS = ("user", "bot", "agent", "restart", "rewind")
END_OF_TURN = "action_listen"


@dataclass(slots=True)
class Turn:
    """`asked` is None when the assistant spoke unasked, as reminders do, and for a restart.

    `sent` is the text as Rasa got it. `said` are the texts and pictures of the answers, by which an answer over HTTP
    and the same answer's events are known as one.
    """

    asked: Message | None = None
    sent: str = ""
    answers: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    restarted: bool = False
    complete: bool = False
    begins_at: float = 0.0  # of its first event, in Rasa's own time: by this a page names a turn
    ends_at: float = 0.0  # of its last event
    was_said: bool = False  # begun by a message, if only a reminder's
    is_undone: bool = False  # a rewind took it back

    @property
    def seconds(self) -> float | None:
        """From the message to its first answer."""
        if self.asked is None or not self.answers:
            return None
        return max(0.0, (self.answers[0].at - self.asked.at).total_seconds())

    @property
    def place(self) -> str:
        """How a page names it; empty while its events have not come."""
        return repr(self.begins_at) if self.begins_at else ""

    @property
    def is_empty(self) -> bool:
        return self.asked is None and not self.answers and not self.restarted


def turns_of(events: Iterable[StoredEvent]) -> list[Turn]:
    """The turns that `events`, in their order, make. The last is complete only when its end is among them."""
    turns: list[Turn] = []
    for event in events:
        payload = loaded(event.payload)
        if event.kind == "rewind":
            _undo(turns, payload)
        elif not repeats(payload):
            _take(turns, event, payload)
        if turns:
            turns[-1].ends_at = event.timestamp
    named = list(_with_button_titles(turns))
    return [turn for turn in named if not turn.is_empty]


def answered(replies: Iterable[dict[str, Any]], at: float) -> Turn:
    """The turn that Rasa's channel answered with; its events come later."""
    turn = Turn(complete=True)
    for reply in replies:
        turn.answers.append(reply_message(reply, moment(at)))
        turn.said += _pieces(turn.answers[-1])
    return turn


def _undo(turns: Sequence[Turn], payload: dict[str, Any]) -> None:
    """A rewind that a person asked for says how far it goes. Those of actions change what Rasa knows, not the chat."""
    to = rewound_to(payload)
    for turn in turns:
        if to is not None and turn.begins_at >= to:
            turn.is_undone = True


def grouped(turns: Iterable[Turn]) -> list[tuple[bool, list[Turn]]]:
    """In stretches, each with whether it was undone."""
    return [(undone, list(some)) for undone, some in groupby(turns, key=lambda turn: turn.is_undone)]


def _take(turns: list[Turn], event: StoredEvent, payload: dict[str, Any]) -> None:
    is_between = not turns or turns[-1].complete
    if event.kind == "user" or (is_between and event.kind in KINDS):
        turns.append(Turn(begins_at=event.timestamp))
    if turns:
        _add(turns[-1], event, payload)


def _add(turn: Turn, event: StoredEvent, payload: dict[str, Any]) -> None:
    if event.kind == "user":
        _ask(turn, event, payload)
    elif event.kind in ("bot", "agent"):
        message = bot_message(payload, moment(event.timestamp), event.pk, by=event.kind)
        turn.answers.append(message)
        turn.said += _pieces(message)
    elif event.kind == "restart":
        turn.restarted, turn.asked = True, None
    elif text_of(payload.get("name")) == END_OF_TURN:
        turn.complete = True


def _ask(turn: Turn, event: StoredEvent, payload: dict[str, Any]) -> None:
    turn.was_said = True
    if member(payload, "metadata").get("is_external"):
        return  # what a reminder or a program triggered; nobody said it
    message = user_message(payload, moment(event.timestamp), event.pk)
    turn.sent = message.text
    message.understanding = None
    turn.asked = message


def _pieces(message: Message) -> list[str]:
    """Rasa sends each paragraph of a text as a message of its own, while its event holds the whole."""
    paragraphs = [part.strip() for part in message.text.split("\n\n")]
    return [piece for piece in (*paragraphs, message.image, *message.links) if piece]


def _with_button_titles(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Show the title of the button that was pressed rather than the payload it sent."""
    titles: dict[str, str] = {}
    for turn in turns:
        if turn.asked is not None and turn.sent in titles:
            turn.asked.text = titles[turn.sent]
        titles |= {button.payload: button.title for answer in turn.answers for button in answer.buttons}
        yield turn
