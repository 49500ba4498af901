"""What the launcher says: one line for each step, with how far a long one is."""

import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

_QUIET_SECONDS = 5.0  # without a terminal, a step that takes longer says so, and again after each such time


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Step:
    """`with Step("Starting PostgreSQL") as step:` prints the step, what `step.detail` says meanwhile, and its time."""

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self.title = title
        self.detail = ""
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._write(f"{self.title}: {'done' if kind is None else 'stopped'} ({self._seconds()})", last=True)

    def _report(self) -> None:
        if self._live:
            self._write(f"{self.title} ...")
        while not self._done.wait(0.2 if self._live else _QUIET_SECONDS):
            detail = f": {self.detail}" if self.detail else " ..."
            self._write(f"{self.title}{detail} ({self._seconds()})")

    def _write(self, text: str, *, last: bool = False) -> None:
        if self._live:  # over the line before: to its begin, and clear it
            self._stream.write(f"\r\x1b[2K  {text[:110]}{chr(10) if last else ''}")
        else:
            self._stream.write(f"  {text}\n")
        self._stream.flush()

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"
