"""A completeness run in words."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from conversations.models import CompletenessFinding, CompletenessRun

State = CompletenessRun.State

_STATUS = {
    State.WAITING: ("silent", "Waiting"),
    State.RUNNING: ("busy", "Comparing"),
    State.FAILED: ("failed", "Failed"),
    State.STOPPED: ("silent", "Stopped"),
}


def share_of(run: CompletenessRun) -> str:
    """`99.98 % complete`. Rounded down: 100 % is said only where nothing is missing."""
    if run.share is None:
        return "Nothing to compare"
    return f"{percent(run.share)} complete"


def percent(share: float) -> str:
    if share == 1:
        return "100 %"
    return f"{math.floor(share * 10_000) / 100:.2f} %"


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as lists and its own page show it."""

    run: CompletenessRun

    @property
    def status(self) -> tuple[str, str]:
        run = self.run
        if run.state == State.DONE and run.events_missing and not run.repairs:
            return "warning", share_of(run)
        if run.state == State.DONE:
            return "running", "Repaired" if run.repairs and run.events_missing else share_of(run)
        return _STATUS[State(run.state)]

    @property
    def kind(self) -> str:
        if self.run.is_nightly:
            return "Nightly check"
        return "Repair" if self.run.repairs else "Check"

    @property
    def scope(self) -> str:
        run = self.run
        if run.phase == CompletenessRun.Phase.FOUND:
            return "what the check found"
        return "all conversations" if run.plan is None and run.sample is None else f"a sample of {run.sample:,}"

    @property
    def progress(self) -> float | None:
        total = self.run.conversations_total
        return min(100.0, 100 * self.run.conversations_compared / total) if total else None

    @property
    def numbers(self) -> list[tuple[str, str, str]]:
        """Label, number and what to know of it; of what seldom is there only where it is."""
        run = self.run
        forgotten = "The server forgot these, or another server of the assistant said them." if run.events_extra else ""
        always = [
            ("Conversations compared", run.conversations_compared, ""),
            ("Events on the server", run.events_there, ""),
            ("Missing here", run.events_missing, ""),
            ("Here alone", run.events_extra, forgotten),
        ]
        sometimes = [
            ("Stored by this run", run.events_added if run.repairs else None, ""),
            ("Conversations of which nothing came", run.conversations_unknown if run.lists_senders else None, ""),
            ("Could not be compared", run.conversations_unasked or None, ""),
            ("Cannot be read", run.events_unreadable or None, ""),
        ]
        shown = [*always, *(one for one in sometimes if one[1] is not None)]
        return [(label, f"{number:,}", note) for label, number, note in shown]

    @property
    def progress_note(self) -> str:
        return f"{self.run.conversations_compared:,} of {self.run.conversations_total:,}"

    @property
    def can_be_backfilled(self) -> bool:
        run = self.run
        is_known = run.state in (State.DONE, State.STOPPED)
        return is_known and not run.repairs and bool(run.events_missing or run.conversations_unknown)


@dataclass(frozen=True, slots=True)
class EventLine:
    at: datetime
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class FindingLine:
    finding: CompletenessFinding

    @property
    def short_sender(self) -> str:
        sender = self.finding.sender_id
        return sender if len(sender) <= 40 else f"{sender[:24]}…{sender[-12:]}"

    @property
    def missing(self) -> list[EventLine]:
        return _lines(self.finding.details.get("missing", []))

    @property
    def extra(self) -> list[EventLine]:
        return _lines(self.finding.details.get("extra", []))

    @property
    def missing_more(self) -> int:
        return max(0, self.finding.missing - len(self.missing))

    @property
    def extra_more(self) -> int:
        return max(0, self.finding.extra - len(self.extra))


def _lines(briefs: list[tuple[float, str, str]]) -> list[EventLine]:
    return [EventLine(datetime.fromtimestamp(at, UTC), kind, name) for at, kind, name in briefs]
