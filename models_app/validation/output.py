"""What `rasa data validate` prints, and `rasa train` before it trains, cut into the things it says.

Rasa 3.6 says most by Python warnings (`<its file>:<line>: UserWarning: …`, then "More info at"), conflicts of stories
by lines of its log, and what ends it by an exception's name and text or a line of its own. All may go over several
lines.
"""

import re
from dataclasses import dataclass, field

from models_app.data.check import Severity

MOST = 2_000_000  # characters that are kept to be read; the log on disk has more
ENDED_WITH_ERRORS = "Project validation completed with errors."
EMPTY_DOMAIN = "Encountered empty domain during validation."

_WARNING = re.compile(r"^(?P<file>\S.*?):\d+: (?P<kind>\w*Warning): (?P<text>.*)$")
_LOG = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+(?P<level>[A-Z]+)\s+(?P<module>\S+)\s+- (?P<text>.*)$")
_EXCEPTION = re.compile(
    r"^(?:\w+\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Invalid\w*|Interrupt)|Invalid[A-Z]\w*): (?P<text>.*)$"
)
_ENDING = re.compile(rf"^(?:{re.escape(ENDED_WITH_ERRORS)}|{re.escape(EMPTY_DOMAIN)})$")
_OWN_LINE = re.compile(r"^(?:Unresolved slots found|The path '.*' does not exist|No training data given)")
_MORE_INFO = re.compile(r"^  (?:More info at https?://|rasa\.shared\.utils\.io\.raise_warning\()")
_NOISE = re.compile(r"^(?:Traceback |Processed (?:story blocks|rules|trackers|actions):|Epochs:)")
_TRAINING_BEGAN = re.compile(r"Starting to train component '|Restored component '")

# Said of every project with slots, whatever they are.
_SAID_ALWAYS = re.compile(r"^Slot auto-fill has been removed in 3\.0 ")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing, as Rasa said it; error only when nothing but its form tells."""

    severity: Severity
    text: str


@dataclass
class Block:
    severity: Severity | None  # None: of no concern to people
    lines: list[str] = field(default_factory=list)
    closed: bool = False


class ValidationOutput:
    """Reads the output as it comes."""

    def __init__(self) -> None:
        self.training_began = False  # what follows is not about validation
        self._room = MOST
        self._rest = ""
        self._lines: list[str] = []

    def read(self, text: str) -> None:
        if self.training_began:
            return
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        if _TRAINING_BEGAN.search(line):
            self.training_began = True
        elif not self.training_began and self._room > 0:
            self._room -= len(line) + 1
            self._lines.append(line.rstrip("\r"))

    def said(self) -> list[Said]:
        """In Rasa's order, each once."""
        found: dict[Said, None] = {}
        for block in _blocks([*self._lines, self._rest]):
            text = "\n".join(block.lines).strip()
            if block.severity is not None and text and not _SAID_ALWAYS.match(text):
                found[Said(block.severity, text)] = None
        return list(found)


def _blocks(lines: list[str]) -> list[Block]:
    blocks: list[Block] = [Block(None)]
    for line in lines:
        begun = _beginning(line)
        if begun is not None:
            blocks.append(begun)
        elif _MORE_INFO.match(line):
            blocks[-1].closed = True
        elif not blocks[-1].closed:
            blocks[-1].lines.append(line)
    return blocks


def _beginning(line: str) -> Block | None:
    if warning := _WARNING.match(line):
        return Block(Severity.WARNING if _is_about_data(warning["file"]) else None, [warning["text"]])
    if logged := _LOG.match(line):
        concerns = logged["level"] in {"WARNING", "ERROR", "CRITICAL"} and logged["module"].startswith("rasa.")
        return Block(Severity.WARNING if concerns else None, [logged["text"]])
    if raised := _EXCEPTION.match(line):
        return Block(Severity.ERROR, [f"{raised['name']}: {raised['text']}"])
    if _ENDING.match(line) or _OWN_LINE.match(line):
        return Block(Severity.ERROR, [line], closed=bool(_ENDING.match(line)))
    return Block(None, [line]) if _NOISE.match(line) else None


def _is_about_data(source: str) -> bool:
    """Libraries warn their own developers; Rasa, and the assistant's own components, warn about the assistant."""
    return "site-packages/" not in source or "site-packages/rasa/" in source
