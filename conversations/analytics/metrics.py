"""What is shown of a stretch of time: each number with its name, how it is written, and how it changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conversations.analytics.charts import Scale, scale
from conversations.analytics.numbers import Numbers
from conversations.happening import Happening
from conversations.ingest.tally import REPLY_BOUNDS
from conversations.presentation.items import UNSURE_BELOW
from studio.web import formats

Value = Callable[[Numbers], float | None]
NO_CHANGE = "no change"
_LONGEST = REPLY_BOUNDS[-1] / 1000


def count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent(value: float) -> str:
    return f"{value:.0%}" if value in (0, 1) or value >= 0.1 else f"{value:.1%}"


def decimal(value: float) -> str:
    return f"{value:.2f}"


def seconds(value: float) -> str:
    return f"over {formats.duration(value)}" if value >= _LONGEST else formats.duration(value)


@dataclass(frozen=True, slots=True)
class Column:
    """A number in tables, and what happened in the conversations that it counts."""

    title: str
    value: Value
    write: Callable[[float], str] = count
    happened: str = ""  # of conversations/happening.py

    def text(self, numbers: Numbers) -> str:
        value = self.value(numbers)
        return "–" if value is None else self.write(value)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with a chart of its own. The first of `columns` is the one; `lines` are drawn, or one bar of a count.

    `change` says how the second of two values differs from the first. `good` is the direction that is better: 1 up,
    -1 down, 0 neither.
    """

    key: str
    title: str
    about: str
    columns: Sequence[Column]
    change: Callable[[float, float], str]
    lines: int = 0
    good: int = 0
    is_minor: bool = False  # left out where there is little room

    @property
    def main(self) -> Column:
        return self.columns[0]

    def scale(self, values: Sequence[float]) -> Scale:
        if self.key == "confidence":
            return scale(values, floor=None, least=0.15)
        return scale(values, least={"not-understood": 0.03, "reply-time": 0.3}.get(self.key, 3.0))


def relative(before: float, now: float) -> str:
    """`+12%`, and `none before` where there is nothing to compare with."""
    if not before:
        return "none before"
    return _signed(f"{(now - before) / before:+,.0%}") if now != before else NO_CHANGE


def _points(before: float, now: float) -> str:
    """Of shares."""
    return _signed(f"{(now - before) * 100:+.1f} points") if round(now - before, 3) else NO_CHANGE


def _hundredths(before: float, now: float) -> str:
    return _signed(f"{now - before:+.2f}") if round(now - before, 2) else NO_CHANGE


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _of(name: str) -> Value:
    return lambda numbers: float(numbers[name])


METRICS = (
    Metric(
        "conversations",
        "Conversations",
        "That began then.",
        [
            Column("Conversations", _of("conversations"), happened=Happening.BEGAN),
            Column("Handed over", _of("handovers"), happened=Happening.HANDED_OVER),
        ],
        relative,
    ),
    Metric(
        "messages",
        "User messages",
        "What people said, and what they pressed.",
        [
            Column("User messages", _of("user_messages"), happened=Happening.SAID),
            Column("Assistant’s", _of("bot_messages"), happened=Happening.REPLIED),
        ],
        relative,
        is_minor=True,
    ),
    Metric(
        "sessions",
        "Sessions",
        "A conversation that goes on after a pause begins a new one.",
        [
            Column("Sessions", _of("sessions"), happened=Happening.SESSION),
            Column("Rejected actions", _of("rejected"), happened=Happening.REJECTED),
        ],
        relative,
        is_minor=True,
    ),
    Metric(
        "not-understood",
        "Not understood",
        "User messages that NLU gave up on (nlu_fallback), of all.",
        [
            Column("Share", lambda one: one.fallback_share, percent, Happening.FALLBACK),
            Column("Messages", _of("fallbacks"), count, Happening.FALLBACK),
        ],
        _points,
        lines=1,
        good=-1,
    ),
    Metric(
        "confidence",
        "Confidence",
        "Of NLU in the intent of user messages, the mean.",
        [
            Column("Mean", lambda one: one.confidence, decimal, Happening.SAID),
            Column(f"Below {UNSURE_BELOW}", lambda one: one.unsure_share, percent, Happening.UNSURE),
        ],
        _hundredths,
        lines=1,
        good=1,
        is_minor=True,
    ),
    Metric(
        "reply-time",
        "Reply time",
        "From a user message to the reply that follows it. The median, and the thin line that 95 % stayed below; both "
        "estimated, between 0.1, 0.25, 0.5, 1, 2, 5, 10, 30 and 60 s.",
        [
            Column("Median", lambda one: one.reply_median, seconds, Happening.ANSWERED),
            Column("95 %", lambda one: one.reply_p95, seconds, Happening.ANSWERED),
            Column("Mean", lambda one: one.reply_mean, formats.duration, Happening.ANSWERED),
            Column("Replies", lambda one: float(sum(one.replies)), happened=Happening.ANSWERED),
        ],
        relative,
        lines=2,
        good=-1,
        is_minor=True,
    ),
)
