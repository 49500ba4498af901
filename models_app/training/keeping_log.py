"""What is kept of a job's output: its head whole, and of what comes after that the newest end, whenever it stops.

Rows in this order: pieces of the head, one that says how many lines are left out (empty as long as none is), pieces of
the end, of which the oldest goes when a new one comes. So a worker that is killed leaves the end as well.
"""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from models_app.models import TrainingJob
from models_app.services import training
from studio.rasa.local import read_log

KEPT = 2 * 1024**2  # characters of the head
TAIL = 64 * 1024  # … and at least so many of the end
ANCHOR = 400  # characters by which the end of what is kept is found in the file


@dataclass
class KeptLog:
    job: TrainingJob
    # Not written yet: the database may be away.
    _head: str = ""
    _rest: str = ""
    _room: int = field(default_factory=lambda: KEPT)  # for more of the head
    _gap: int | None = None  # the row that says what is left out
    _left_out: int = 0  # lines
    _tail: deque[tuple[int, str]] = field(default_factory=deque)  # rows of the end with their text

    def add(self, text: str) -> None:
        """Take it; of more than can be kept only the end, however long the database is away."""
        if self._room:
            head, text = _split(text, self._room)
            self._head += head
            self._room = 0 if text else self._room - len(head)
        self._rest += text
        if len(self._rest) > 2 * TAIL:
            cut = _line_after(self._rest, len(self._rest) - TAIL)
            self._left_out += self._rest.count("\n", 0, cut)
            self._rest = self._rest[cut:]

    def flush(self) -> None:
        if self._head:
            training.append_log(self.job, self._head)
            self._head = ""
        if self._rest:
            self._roll(self._rest)
            self._rest = ""

    def _roll(self, text: str) -> None:
        tail = deque([*self._tail, (0, text)])
        gone: list[int] = []
        left_out = self._left_out
        while len(tail) > 1 and sum(len(piece) for _row, piece in tail) - len(tail[0][1]) >= TAIL:
            row, piece = tail.popleft()
            gone.append(row)
            left_out += piece.count("\n")
        self._gap, row = training.roll_log(self.job, text, gap=self._gap, left_out=left_out, gone=gone)
        tail[-1] = (row, text)
        self._tail, self._left_out = tail, left_out


def rescue(folder: Path) -> None:
    """Keep the end of what a killed attempt wrote to `<job>-<attempt>`, as far as its worker had not come to it."""
    pk, _, attempt = folder.name.partition("-")
    files = sorted(folder.glob("rasa-*.log"), key=lambda path: path.stat().st_mtime)
    if not files or not (pk.isdigit() and attempt.isdigit()):
        return
    job = TrainingJob.objects.filter(pk=int(pk)).first()
    if job is None:
        return
    job.attempt = int(attempt)
    missing = _beyond(training.end_of_log(job, ANCHOR), _end_of(files[-1]))
    if missing:
        training.rescue_log(job, missing)


def _end_of(file: Path) -> str:
    offset = max(0, file.stat().st_size - 2 * TAIL)
    text = read_log(file, offset, 2 * TAIL + 1, to_its_end=True).text
    return text[_line_after(text, 1) :] if offset else text


def _beyond(kept: str, written: str) -> str:
    """What was written after what is kept; all of it when the two do not meet."""
    at = written.rfind(kept) if kept else -1
    return written[at + len(kept) :] if at >= 0 else written


def _split(text: str, room: int) -> tuple[str, str]:
    """As many lines as there is room for, and the rest. Only a line that is longer than any end is cut itself."""
    if len(text) <= room:
        return text, ""
    cut = text.rfind("\n", 0, room) + 1
    if cut == 0 and text.find("\n", 0, TAIL) < 0:
        cut = room
    return text[:cut], text[cut:]


def _line_after(text: str, at: int) -> int:
    """Where the first line begins that begins at or after `at`; `at` itself when no other does."""
    begin = text.find("\n", at - 1) + 1
    return begin if 0 < begin < len(text) else at
