"""What `rasa train` prints: how far it is, and, when it fails, what it says is wrong."""

import re

_STARTING = re.compile(r"Starting to train component '([^']+)'|Restored component '([^']+)'")
_EPOCH = re.compile(r"Epochs:\s+(\d+)%\|")
_ERROR = re.compile(r"^(?:\S+\s+\S+\s+)?ERROR\s+\S+\s+-\s+(.*)$|^([\w.]*(?:Error|Exception|Invalid\w+)): (.*)$")


class Progress:
    """Reads the output as it comes: which component of how many."""

    def __init__(self, components: tuple[str, ...]) -> None:
        self._components = components
        self.total = len(components)
        self.done = 0
        self.step = "Starting Rasa"

    def read(self, text: str) -> None:
        for match in _STARTING.finditer(text):
            name = match.group(1) or match.group(2)
            self.step = f"Training {name}"
            # The same component may stand in the pipeline twice; progress never goes back.
            later = [at for at, known in enumerate(self._components) if known == name and at >= self.done]
            if later:
                self.done = later[0]
        epochs = _EPOCH.findall(text)
        if epochs:
            self.step = f"{self.step.split(',')[0]}, epochs {epochs[-1]} %"


def failure_message(log: str, how: str) -> str:
    """Rasa's own message from the end of its log; `how` says how the process ended when it gave none."""
    lines = [line.rstrip() for line in log.splitlines()]
    for at in range(len(lines) - 1, -1, -1):
        match = _ERROR.match(lines[at])
        if match:
            first = match.group(1) or f"{match.group(2).rsplit('.', 1)[-1]}: {match.group(3)}"
            return "\n".join([first, *_continued(lines[at + 1 :])])[:4000]
    said = [line for line in lines if line.strip()][-8:]
    return "\n".join([how, *said])[:4000]


def _continued(lines: list[str]) -> list[str]:
    """Lines that belong to the message before them, up to the next log line."""
    kept: list[str] = []
    for line in lines[:20]:
        if re.match(r"^\d{4}-\d\d-\d\d |^Traceback", line):
            break
        kept.append(line)
    return [line for line in kept if line.strip()]
