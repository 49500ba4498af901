"""What a command says. Results go to the standard output, all else to the standard error; `--json` leaves no words."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], object]]
Advance = Callable[[int], None]

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
WIDE = 70  # columns of a terminal in which a bar tells speed and time too
GAP, FOLDED = 2, 16  # between columns; to so much one of several words may be folded
COLOURS = {
    "running": "green",
    "done": "green",
    "failed": "red",
    "warning": "yellow",
    "busy": "blue",
    "silent": "yellow",
}


def printable(text: object) -> str:
    """Without what would steer the terminal or turn the reading direction; line ends and tabs stay."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", str(text))


def one_line(text: object) -> str:
    return printable(" ".join(str(text).split()))


class Output:
    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.is_terminal = sys.stdout.isatty() and not is_json

    def note(self, text: str) -> None:
        """Words beside the result."""
        if not self.is_json:
            _write(sys.stderr, printable(text))

    def result(self, facts: object, text: str = "") -> None:
        if self.is_json:
            _write(sys.stdout, json.dumps(facts, indent=2 if sys.stdout.isatty() else None))
        elif text:
            _write(sys.stdout, printable(text))

    def line(self, facts: object, text: str | None = None, *, beside: bool = False) -> None:
        """One of many that come one after the other."""
        if self.is_json:
            _write(sys.stdout, json.dumps(facts))
        elif text is not None:
            _write(sys.stderr if beside else sys.stdout, printable(text))

    def table(self, rows: Sequence[Row], columns: Sequence[Column], *, empty: str) -> None:
        """For people a table; in a pipe lines with tabs between, and no title. A list may be left early."""
        try:
            self._table(rows, columns, empty)
        except BrokenPipeError:
            discard(sys.stdout)

    def _table(self, rows: Sequence[Row], columns: Sequence[Column], empty: str) -> None:
        if self.is_json:
            self.result(list(rows))
        elif not rows:
            self.note(empty)
        elif self.is_terminal:
            _draw(rows, columns)
        else:
            for row in rows:
                _write(sys.stdout, "\t".join(one_line(value(row)) for _title, value in columns))

    def fail(self, failure: Failure) -> None:
        if self.is_json:
            _write(sys.stderr, json.dumps(failure.facts))
            return
        tail = f" (request {one_line(failure.request_id)})" if failure.request_id else ""
        _write(sys.stderr, f"parley: {one_line(failure.message)}{tail}")

    @property
    def can_ask(self) -> bool:
        return not self.is_json and somebody_is_there()

    def ask(self, question: str, *, otherwise: str) -> str:
        """A line from whoever sits there; where nobody does, say what to give instead."""
        if not self.can_ask:
            raise Failure(f"Nobody can be asked here. {otherwise}", Code.USAGE)
        sys.stderr.write(printable(question))
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    def confirm(self, question: str, *, otherwise: str) -> bool:
        return self.ask(f"{question} [y/N] ", otherwise=otherwise).lower() in ("y", "yes")

    def secret(self, question: str, *, otherwise: str, from_stdin: bool = False) -> str:
        """Read without being shown. Raises Failure for nothing at all."""
        if not from_stdin and not self.can_ask:
            raise Failure(f"Nobody can be asked here. {otherwise}", Code.USAGE)
        if from_stdin and not somebody_is_there():
            found = sys.stdin.readline().strip()
        else:
            import getpass

            try:
                found = getpass.getpass(question).strip()
            except EOFError:  # Ctrl-D
                found = ""
        if not found:
            raise Failure("Nothing was given.", Code.USAGE)
        return found

    @contextmanager
    def progress(self, title: str, total: int | None, *, of_bytes: bool = True) -> Iterator[Advance]:
        """A bar of bytes, or of things, where somebody looks."""
        if self.is_json or not sys.stderr.isatty():
            yield lambda _size: None
            return
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = _console(stderr=True)
        measure = DownloadColumn() if of_bytes else MofNCompleteColumn()
        rest = (TransferSpeedColumn(), TimeRemainingColumn()) if console.width >= WIDE else ()
        most = console.width // 3
        name = one_line(title) if len(one_line(title)) <= most else f"{one_line(title)[: most - 1]}…"
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), measure, *rest)
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda size: bar.advance(task, size)


def somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _write(stream: TextIO, text: str) -> None:
    """Whatever the terminal's encoding is. Nobody has to read the words beside a result: the work goes on."""
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        if stream is not sys.stderr:
            raise
        discard(stream)


def discard(stream: TextIO) -> None:
    """What is written from now on, and what waits to be, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _draw(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """A table where it fits, so that a name stays in one piece; else one thing beneath the other."""
    from rich.cells import cell_len
    from rich.text import Text

    console = _console()
    titles = [title for title, _value in columns]
    lines = [[one_line(value(row)) for _title, value in columns] for row in rows]
    columns_of_text = list(zip(titles, *lines, strict=True))
    is_prose = [any(" " in cell and len(cell) > FOLDED for cell in cells) for cells in columns_of_text]
    widths = [
        max(FOLDED, *(cell_len(word) for cell in cells for word in cell.split()))
        if folds
        else max(map(cell_len, cells))
        for cells, folds in zip(columns_of_text, is_prose, strict=True)
    ]
    texts = [[Text(cell, style=COLOURS.get(cell, "")) for cell in cells] for cells in lines]
    if sum(widths) + GAP * (len(widths) - 1) > console.width:
        _draw_beneath(console, titles, texts)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for title, folds in zip(titles, is_prose, strict=True):
        table.add_column(title, overflow="fold", no_wrap=not folds)
    for cells in texts:
        table.add_row(*cells)
    console.print(table)


def _draw_beneath(console: "Console", titles: Sequence[str], rows: Sequence[Sequence["Text"]]) -> None:
    wide = max(map(len, titles))
    for number, cells in enumerate(rows):
        if number:
            console.print()
        for title, cell in zip(titles, cells, strict=True):
            if cell.plain:
                console.print(f"[bold]{title:{wide}}[/]  ", end="")
                console.print(cell, soft_wrap=True)


# --- Words for values -------------------------------------------------------------------------------------------------


def ago(moment: float | None) -> str:
    """`3 min ago`; the date for what is older than a month."""
    if moment is None:
        return "—"
    seconds = max(0, time.time() - moment)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return day(moment) if unit == "d" and count > 30 else f"{count} {unit} ago"
    return "just now"


def day(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d")


def size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
