"""Every part examined: what is wrong, and how it is mended. `manage.py doctor` says it.

The parts of `/readyz` are asked first. Where one works, what an app registered for it under the same name looks
deeper; other examinations stand for themselves.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import structlog
from django.db import DatabaseError
from django.utils.module_loading import import_string

from studio import health

log = structlog.get_logger()

# Parley works without them for minutes at most.
VITAL = frozenset({"database", "redis", "artifact store", "schedule", "background worker"})


class Status(StrEnum):
    OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `mend` says what to do; none of it holds a secret."""

    about: str
    status: Status
    message: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


_examinations: dict[str, str] = {}


def register(about: str, dotted_name: str) -> None:
    """Look deeper into a part, or into something that is none; apps call it from AppConfig.ready().

    The name is that of a function that gives Findings: what it needs is loaded by the doctor, not at every start.
    """
    _examinations[about] = dotted_name


def examine_all() -> Iterator[Finding]:
    """Each finding as soon as it is made: what does not answer takes seconds."""
    parts = health.check_all()
    for name, part in parts.items():
        if part.status != "ok":
            yield _of_part(name, part)
        elif name in _examinations:
            yield from _examined(name)
        else:
            yield Finding(name, Status.OK, part.message or "It works.")
    for name in _examinations:
        if name not in parts:
            yield from _examined(name)


def _of_part(name: str, part: health.Part) -> Finding:
    is_down = part.status == "down" or name in VITAL
    return Finding(name, Status.FAIL if is_down else Status.WARN, part.message, part.mend)


def _examined(name: str) -> Iterator[Finding]:
    """One that breaks takes no other with it. What an exception says may hold a secret: the log has it."""
    try:
        yield from import_string(_examinations[name])()
    except DatabaseError:
        yield Finding(name, Status.WARN, "Not known without the database.", "Mend that first.")
    except Exception as error:
        log.exception("an examination broke", part=name)
        kind = type(error).__name__
        yield Finding(name, Status.FAIL, f"It could not be examined: {kind}.", "Standard error has the whole story.")
