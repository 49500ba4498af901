"""What somebody who moves a tag saw it point at: who was slower is refused instead of undoing what was just done."""

from enum import Enum
from typing import Final, Literal

from models_app.models import Model


class Unset(Enum):
    """The caller does not say which model they saw."""

    TOKEN = 0


UNSET: Final = Unset.TOKEN

# A model, its name or the SHA-256 of its file; None for no model.
Expected = Model | str | Literal[Unset.TOKEN] | None


def holds(expected: Expected, current: Model | None) -> bool:
    """Whether the tag still points at what the caller saw."""
    if expected is UNSET:
        return True
    if isinstance(expected, str):
        return current is not None and expected in (current.name, current.artifact_id)
    return expected == current
