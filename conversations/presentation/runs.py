"""Runs over many conversations in words: what was to be deleted or exported, and what became of it."""

from dataclasses import dataclass

from conversations.models import ErasureRun, ExportRun
from conversations.presentation.chosen import filter_in_words

_ERASURE = {
    ErasureRun.State.COUNTING: ("busy", "Being counted"),
    ErasureRun.State.COUNTED: ("warning", "To be confirmed"),
    ErasureRun.State.WAITING: ("silent", "Waiting"),
    ErasureRun.State.RUNNING: ("busy", "Deleting"),
    ErasureRun.State.DONE: ("running", "Done"),
    ErasureRun.State.FAILED: ("failed", "Failed"),
    ErasureRun.State.STOPPED: ("silent", "Stopped"),
}
_EXPORT = {
    ExportRun.State.WAITING: ("silent", "Waiting"),
    ExportRun.State.RUNNING: ("busy", "Being written"),
    ExportRun.State.DONE: ("running", "Ready"),
    ExportRun.State.FAILED: ("failed", "Failed"),
    ExportRun.State.CANCELLED: ("silent", "Cancelled"),
    ExportRun.State.EXPIRED: ("silent", "Deleted"),
}


def many(number: int, noun: str = "conversation") -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True, slots=True)
class ErasureLine:
    run: ErasureRun

    @property
    def status(self) -> tuple[str, str]:
        if self.run.is_paused:
            return "silent", "Paused"
        return _ERASURE[ErasureRun.State(self.run.state)]

    @property
    def what(self) -> str:
        """Which conversations, in one line."""
        run = self.run
        if run.sender:
            return "One conversation"
        if run.before is not None:
            place = run.environment.name if run.environment else "everywhere"
            return f"Older than {many(run.days or 0, 'day')}, {place}"
        chosen = filter_in_words(run.query)
        return "; ".join(f"{label}: {value}" for label, value in chosen) or "All conversations"

    @property
    def who(self) -> str:
        return "by night" if self.run.is_nightly else f"by {self.run.requested_by_label}"

    @property
    def result(self) -> str:
        run = self.run
        if run.state == ErasureRun.State.COUNTED:
            return f"{many(run.total)} would go"
        return f"{run.conversations:,} deleted" if run.conversations or not run.is_open else ""

    @property
    def note(self) -> str:
        return f"{self.run.seen:,} of {self.run.total:,}"

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """Label and number, as far as they say something."""
        run = self.run
        if run.confirmed_at is None and not run.is_nightly and not run.sender:
            letters = [("Records that could not be read", f"{run.letters_total:,}")] if run.letters_total else []
            return [("Conversations", f"{run.total:,}"), ("Events in them", f"{run.events_total:,}"), *letters]
        rest = run.seen - run.conversations
        left = [("Left alone: gone already, or matching no more", f"{rest:,}")] if rest else []
        done = [("Conversations deleted", f"{run.conversations:,}"), ("Events deleted", f"{run.events:,}")]
        letters = [("Records that could not be read, deleted", f"{run.letters:,}")] if run.letters else []
        return [*done, *letters, *left]


@dataclass(frozen=True, slots=True)
class ExportLine:
    run: ExportRun

    @property
    def status(self) -> tuple[str, str]:
        return _EXPORT[ExportRun.State(self.run.state)]

    @property
    def what(self) -> str:
        chosen = filter_in_words(self.run.query)
        return "; ".join(f"{label}: {value}" for label, value in chosen) or "All conversations"

    @property
    def note(self) -> str:
        return f"{self.run.done:,} of {self.run.total:,}"
