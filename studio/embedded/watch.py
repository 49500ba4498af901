"""Tell the person at the terminal when a program died and when it is well again."""

from dataclasses import dataclass

from studio.embedded.supervision import ProcessState, Supervisor
from studio.embedded.terminal import say


@dataclass(slots=True)
class _Seen:
    pid: int
    is_well: bool = True


class Watch:
    """Compares the states of all programs with those seen before; the supervisor itself restarts what died."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._seen: dict[str, _Seen] = {}

    def look(self) -> None:
        """Say what changed since the last look. One line for a program that dies again and again."""
        try:
            states = self._supervisor.states()
        except OSError:  # it ends, or is too busy: the next look tells
            return
        for state in states:
            self._compare(state)

    def _compare(self, state: ProcessState) -> None:
        seen = self._seen.setdefault(state.name, _Seen(state.pid))
        died = state.pid != seen.pid
        seen.pid = state.pid
        if died and seen.is_well:
            seen.is_well = False
            say(f"{state.name} ended; it is started again. Why: {self._supervisor.folders.logs / state.name}.log")
        elif not died and not seen.is_well and state.state == "RUNNING":
            seen.is_well = True
            say(f"{state.name} runs again.")
