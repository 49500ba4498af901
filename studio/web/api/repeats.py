"""What an `Idempotency-Key` does to a POST. Each operation says it in its `openapi_extra`, where it is not the usual.

The description of the API and what the API does both read it here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ninja.operation import Operation

NAME = "x-repeats"


class Repeats(StrEnum):
    KEPT = "kept"  # what is said of nothing else: studio/access/api_repeats.py gives the first answer again
    OWN = "own"  # the operation keeps what it answered itself
    NONE = "none"  # it is not read: the body is a file, nothing changes, or what was done already is told as that


# For `openapi_extra`. Whoever waits for a server of somebody's is one of both: no transaction may do that.
OWN = {NAME: Repeats.OWN}
NONE = {NAME: Repeats.NONE}


def said_of(described: Mapping[str, Any] | None, *, is_open: bool) -> Repeats:
    """`is_open`: for whoever asks. Then nobody is known whose word the key could be, and guesses are counted."""
    return Repeats.NONE if is_open else (described or {}).get(NAME, Repeats.KEPT)


def repeats(operation: Operation) -> Repeats:
    return said_of(operation.openapi_extra, is_open=operation.auth_param is None)
