"""A job's log as people read it: by numbered lines, from any of them, or those that hold certain words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models_app.models import TrainingJob, TrainingLog
from models_app.services.training import GAP
from studio.text_search import LINES_SHOWN, Found, Line, parts, pattern_of

SHOWN = 200_000  # characters that a page shows at once; the whole is a download
BEFORE = 30  # lines shown before one that was asked for
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A progress bar is drawn over itself: all but its last state is noise on a page.
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")


@dataclass(frozen=True, slots=True)
class LogPage:
    lines: list[Line]
    last: int  # id of the newest piece, to ask for what comes after
    following: int  # number of the line that comes next
    first: bool = True  # it begins with the log's first line
    end: bool = True  # it goes to the end of what there is


def page(job: TrainingJob, at: int | None = None) -> LogPage:
    """The end of the log, or, from `at` on, what stands around that line."""
    pieces = _pieces(job)
    lines = list(_numbered(text_of(pieces)))
    following = _following(lines)
    begin = 0 if at is None else next((i for i, line in enumerate(lines) if line.number >= at), len(lines)) - BEFORE
    shown = list(_fitting(lines[max(0, begin) :])) if at is not None else _end(lines)
    return LogPage(
        shown,
        last=max((piece.pk for piece in pieces), default=0),
        following=following,
        first=not shown or shown[0] == lines[0],
        end=not shown or shown[-1] == lines[-1],
    )


def after(job: TrainingJob, last: int, number: int) -> LogPage:
    """What came after the piece `last`, whose next line has this number.

    Once lines are left out the numbers are a guess until the page is loaded anew.
    """
    pieces = [piece for piece in _pieces(job, after=last) if piece.text]
    before = TrainingLog.objects.filter(job=job, pk__lte=last).order_by("-pk").first()
    lines = list(_numbered(text_of(pieces, before.attempt if before else 1), number))
    return LogPage(lines, last=max((piece.pk for piece in pieces), default=last), following=_following(lines, number))


def search(job: TrainingJob, words: str) -> Found:
    """Lines that hold `words`, large and small letters alike; the first of them are shown."""
    pattern = pattern_of(words)
    lines = [line for line in _numbered(whole(job)) if line.number and pattern.search(line.text)]
    shown = [Line(line.number, line.text, parts(pattern, line.text)) for line in lines[:LINES_SHOWN]]
    return Found(words, shown, len(lines))


def whole(job: TrainingJob) -> str:
    return text_of(_pieces(job))


def text_of(pieces: Iterable[TrainingLog], attempt: int = 1) -> str:
    return readable("".join(_with_headings(pieces, attempt)))


def readable(text: str) -> str:
    """Without colours and without the overwritten states of progress bars."""
    return OVERWRITTEN.sub("", TERMINAL_CODES.sub("", text)).replace("\r\n", "\n")


def _pieces(job: TrainingJob, after: int = 0) -> list[TrainingLog]:
    """By attempt first: the end of a killed one's log may be found when the next has begun."""
    return list(TrainingLog.objects.filter(job=job, pk__gt=after).order_by("attempt", "pk"))


def _with_headings(pieces: Iterable[TrainingLog], attempt: int) -> Iterator[str]:
    text = "\n"
    for piece in pieces:
        if piece.attempt != attempt:
            attempt = piece.attempt
            yield ("" if text.endswith("\n") else "\n") + f"── attempt {attempt} ──\n"
        text = piece.text or text
        yield piece.text


def _numbered(text: str, number: int = 1) -> Iterator[Line]:
    for line in text.removesuffix("\n").split("\n") if text else ():
        gap = GAP.fullmatch(line)
        yield Line(0 if gap else number, line)
        number += int(gap[1]) if gap else 1


def _following(lines: list[Line], number: int = 1) -> int:
    if not lines:
        return number
    gap = GAP.fullmatch(lines[-1].text)
    if lines[-1].number or not gap:
        return lines[-1].number + 1
    return _following(lines[:-1], number) + int(gap[1])


def _fitting(lines: Iterable[Line]) -> Iterator[Line]:
    room = SHOWN
    for line in lines:
        yield line
        room -= len(line.text) + 1
        if room <= 0:
            return


def _end(lines: list[Line]) -> list[Line]:
    return list(_fitting(reversed(lines)))[::-1]
