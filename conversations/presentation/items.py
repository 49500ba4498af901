"""What a conversation's page is made of."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Protocol, Self

FALLBACK_INTENT = "nlu_fallback"
# Below this, or with the next intent this near, a message deserves a look.
UNSURE_BELOW = 0.6
AMBIGUOUS_WITHIN = 0.1
_INTENT = re.compile(r"/[^\s{@/]+\s*(?:@[0-9.]+)?\s*(?:\{|$)")
MOST_NAMED = 6  # steps in a folded line; of more, it counts the kinds


class StoredEvent(Protocol):
    """What is needed of a row of `Event`; its payload is Rasa's whole event as JSON."""

    pk: int
    kind: str
    timestamp: float
    payload: str


@dataclass(frozen=True, slots=True)
class Intent:
    name: str
    confidence: float

    def __str__(self) -> str:
        return f"{self.name} {self.confidence:.2f}"

    @property
    def is_fallback(self) -> bool:
        return self.name == FALLBACK_INTENT


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    value: str
    role: str = ""
    group: str = ""
    extractor: str = ""
    start: int | None = None  # place in the text, in characters
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Understanding:
    """What NLU made of a message; `ranking` is best first and holds the chosen intent."""

    intent: Intent
    ranking: Sequence[Intent] = ()
    entities: Sequence[Entity] = ()

    @property
    def runner_up(self) -> Intent | None:
        """The next best real intent; for a fallback, the best one."""
        others = (one for one in self.ranking if one.name != self.intent.name and not one.is_fallback)
        return next(others, None)

    @property
    def level(self) -> str:
        """`sure`, `unsure` or `fallback`."""
        if self.intent.is_fallback or not self.intent.name:
            return "fallback"
        if self.intent.confidence < UNSURE_BELOW:
            return "unsure"
        second = self.runner_up
        close = second is not None and self.intent.confidence - second.confidence < AMBIGUOUS_WITHIN
        return "unsure" if close else "sure"

    @property
    def words(self) -> str:
        """`inform 0.97`, with the next best intent where that one is worth a look."""
        if self.level == "sure":
            return str(self.intent)
        chosen = self.intent.name if self.intent.is_fallback else str(self.intent)
        return " · ".join([chosen or "no intent", *([str(self.runner_up)] if self.runner_up else [])])


@dataclass(frozen=True, slots=True)
class Button:
    title: str
    payload: str


@dataclass(slots=True)
class Message:
    """Something that a person or the assistant said. `event_id` is None while its event has not arrived yet."""

    shape: ClassVar[str] = "message"
    event_id: int | None
    by: str  # user, bot, or agent: a person who took over
    at: datetime
    text: str
    understanding: Understanding | None = None
    buttons: Sequence[Button] = ()
    image: str = ""  # an address that a page may load
    links: Sequence[str] = ()  # addresses of pictures and attachments that it may only link to
    custom: str = ""  # anything else the bot sent, as indented JSON
    action: str = ""  # the action that uttered it
    policy: str = ""
    answered_in: float | None = None  # seconds until the first answer
    after: float | None = None  # seconds that a first answer took
    channel: str = ""
    is_repeated: bool = False  # said to Rasa again after a rewind, which took back too much; nobody said it
    marks: Sequence[object] = ()  # flags and tags, for the page to show
    correction: object = None  # what a person said it means, likewise
    rating: object = None  # what a guest thought of it, likewise

    @property
    def is_user(self) -> bool:
        return self.by == "user"

    @property
    def is_intent(self) -> bool:
        """Whether the person named the intent itself, `/greet`, and wrote no words."""
        return self.is_user and _INTENT.match(self.text) is not None

    @property
    def clock(self) -> str:
        return f"{self.at:%H:%M:%S}"

    @property
    def iso(self) -> str:
        return self.at.isoformat(timespec="seconds")

    @property
    def is_empty(self) -> bool:
        """True for an utterance of which nothing can be shown."""
        return not (self.text or self.buttons or self.image or self.links or self.custom)


@dataclass(frozen=True, slots=True)
class Words:
    """An event between messages in words, read as text, subject, value, after. Quiet ones are shown on request."""

    text: str
    subject: str = ""
    value: str = ""
    after: str = ""
    policy: str = ""
    quiet: bool = False
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Words):
    """One event between messages."""

    event_id: int
    kind: str
    at: datetime

    @classmethod
    def of(cls, words: Words, *, event_id: int, kind: str, at: datetime) -> Self:
        """By hand, because a page has a thousand of these: dataclasses.asdict copies whatever it is given."""
        return cls(
            words.text, words.subject, words.value, words.after, words.policy, words.quiet, words.bad,
            event_id=event_id, kind=kind, at=at,
        )  # fmt: skip

    @property
    def clock(self) -> str:
        return f"{self.at:%H:%M:%S}"


@dataclass(slots=True)
class Machinery:
    """Events that lie between two messages, folded into one line."""

    shape: ClassVar[str] = "machinery"
    steps: list[Step] = field(default_factory=list)

    @property
    def loud(self) -> list[Step]:
        """What the folded line names: each policy only where it changes, a form's start instead of its action."""
        started = {step.subject for step in self.steps if step.kind == "active_loop"}
        result: list[Step] = []
        last = chosen_by = ""
        for step in self.steps:
            if step.kind == "action" and step.text in started:
                chosen_by = step.policy
            elif not step.quiet:
                policy = chosen_by if step.kind == "active_loop" else step.policy
                result.append(replace(step, policy="" if policy == last else policy))
                last = policy or last
        return result

    @property
    def is_quiet(self) -> bool:
        return all(step.quiet for step in self.steps)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Kinds with how many there are, in the order of the first of each."""
        return list(Counter(step.kind for step in self.steps).items())

    @property
    def is_long(self) -> bool:
        """Too much to be named step by step in one line."""
        return len(self.loud) > MOST_NAMED

    def of(self, kind: str) -> "Machinery":
        return Machinery([step for step in self.steps if step.kind == kind])


@dataclass(frozen=True, slots=True)
class Divider:
    """A line across: a new day, a long silence, a session, a restart, a model, and where the reader had stopped."""

    shape: ClassVar[str] = "divider"
    kind: str  # day, pause, session, restart, model, unread
    at: datetime
    event_id: int | None = None
    model: str = ""
    is_first: bool = False  # the model that it begins with
    seconds: float = 0.0  # of silence


Item = Message | Machinery | Divider
