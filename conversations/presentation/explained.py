"""Why the assistant did what it did in one turn: what it understood, remembered and decided, and how long that took.

One place for the conversation's page and for Talk. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from conversations.presentation.applied import is_taking_back, repeats, standing
from conversations.presentation.examples import marked
from conversations.presentation.items import Entity, Message, StoredEvent
from conversations.presentation.messages import user_message
from conversations.presentation.reading import loaded, moment, number, shown, text_of
from conversations.presentation.slots import Slot, slots_of_turn
from conversations.presentation.steps import policy_name, step_of

_LOOPS = {"active_loop", "form"}
_ENDS_LOOP = {"restart", "session_started"}
_LISTENING = "action_listen"
_OPENING = "action_session_start"


@dataclass(slots=True)
class Decision:
    """An action of the turn. `after` is the seconds since the turn began, `took` until the next decision."""

    name: str
    policy: str
    confidence: float | None
    after: float
    took: float | None = None
    is_rejected: bool = False

    @property
    def is_fallback(self) -> bool:
        return self.name == "action_default_fallback"

    @property
    def is_in_data(self) -> bool:
        """Whether the assistant's files may say when it is taken, and what it does."""
        return bool(self.name) and not self.is_listening

    @property
    def is_listening(self) -> bool:
        return self.name == _LISTENING


@dataclass(frozen=True, slots=True)
class Moment:
    """An event of the turn in words; `gap` is the seconds since the one before."""

    kind: str
    words: str
    gap: float


@dataclass(slots=True)
class Explanation:
    """`message` is None for what the assistant did unasked; `marked` is its text with the entities in it."""

    message: Message | None
    marked: SafeString
    entities: Sequence[Entity]
    slots: Sequence[Slot]
    loop: str
    requested: str
    decisions: Sequence[Decision]
    moments: Sequence[Moment] = field(default_factory=list)

    @property
    def changed(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.is_changed]

    @property
    def unchanged(self) -> list[Slot]:
        return [slot for slot in self.slots if not slot.is_changed]

    @property
    def seconds(self) -> float:
        """From the first of its events to the last."""
        return sum(one.gap for one in self.moments)

    @property
    def has_names(self) -> bool:
        """Whether an entity says more than its name and value."""
        return any(one.role or one.group or one.extractor for one in self.entities)


def explained(before: Sequence[StoredEvent], within: Sequence[StoredEvent]) -> Explanation:
    """The turn of the events `within`, which follow those `before`; both in their order."""
    after = [*before, *within]
    message = _message(within)
    found = message.understanding if message else None
    entities = found.entities if found else ()
    loop, requested = _form_of(standing(after))
    return Explanation(
        message,
        marked(message.text if message else "", _places(entities, message)),
        entities,
        slots_of_turn(standing(before), standing(after)),
        loop,
        requested,
        _decisions(within),
        _moments(within),
    )


def turn_around(events: Sequence[StoredEvent], at: int) -> tuple[int, int]:
    """Where the turn of the event at that place begins, and where it ends (exclusive)."""
    begins = max((place for place in range(at + 1) if _begins(events[place])), default=0)
    ends = min((place for place in range(at + 1, len(events)) if _begins(events[place])), default=len(events))
    return begins, ends


def _begins(event: StoredEvent) -> bool:
    """A message begins a turn; who takes it back ends it."""
    return event.kind == "user" or is_taking_back(event)


def _message(within: Iterable[StoredEvent]) -> Message | None:
    for event in within:
        if event.kind == "user":
            return user_message(loaded(event.payload), moment(event.timestamp), event.pk)
    return None


def _places(entities: Iterable[Entity], message: Message | None) -> list[dict[str, object]]:
    """What can be marked in the text: of several at one place the first."""
    done, result = 0, []
    length = len(message.text) if message else 0
    for one in sorted((one for one in entities if one.start is not None), key=lambda one: one.start or 0):
        start, end = one.start or 0, one.end or 0
        if start >= done and end <= length:
            value = "" if message and one.value == message.text[start:end] else one.value
            facts = {"entity": one.name, "role": one.role, "group": one.group, "value": value}
            result.append({"start": start, "end": end, **facts})
            done = end
    return result


def _form_of(events: Iterable[StoredEvent]) -> tuple[str, str]:
    """The form that is active after the events, and the slot it asks for."""
    loop = requested = ""
    for event in events:
        if event.kind in _ENDS_LOOP:
            loop = requested = ""
        elif event.kind in _LOOPS:
            loop = text_of(loaded(event.payload).get("name"))
        elif event.kind == "slot":
            payload = loaded(event.payload)
            if payload.get("name") == "requested_slot":
                requested = shown(payload["value"]) if payload.get("value") else ""
    return loop, requested if loop else ""


def _decisions(within: Sequence[StoredEvent]) -> list[Decision]:
    result: list[Decision] = []
    if not within:
        return result
    began = within[0].timestamp
    for event in within:
        if event.kind not in ("action", "action_execution_rejected"):
            continue
        payload = loaded(event.payload)
        name = text_of(payload.get("name")) or text_of(payload.get("action_text"))
        after = event.timestamp - began
        if result and result[-1].took is None:
            result[-1].took = after - result[-1].after
        confidence = payload.get("confidence")
        rejected = event.kind == "action_execution_rejected"
        sure = None if confidence is None else number(confidence)
        result.append(Decision(name, policy_name(payload), sure, after, is_rejected=rejected))
    return [one for one in result if one.name != _OPENING]


def _moments(within: Sequence[StoredEvent]) -> list[Moment]:
    result, last = [], None
    for event in within:
        result.append(Moment(event.kind, _words(event), 0.0 if last is None else max(0.0, event.timestamp - last)))
        last = event.timestamp
    return result


def _words(event: StoredEvent) -> str:
    payload = loaded(event.payload)
    if event.kind in ("user", "bot", "agent"):
        return text_of(payload.get("text"))
    step = step_of(event, payload)
    again = "said again after a rewind" if repeats(payload) else ""
    value = f"= {step.value}" if step.value else ""
    return " ".join(filter(None, (step.text, step.subject, value, step.after, again)))
