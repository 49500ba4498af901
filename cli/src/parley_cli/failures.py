"""How a command ends. The codes are a promise to scripts: docs/cli.md lists them."""

from collections.abc import Mapping
from enum import IntEnum


class Code(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    FORBIDDEN = 4
    NOT_FOUND = 5
    CONFLICT = 6
    UNREACHABLE = 7
    NOT_RUNNING = 10  # promoted, but a server could not load the model
    SUPERSEDED = 11
    TIMED_OUT = 12
    NOBODY_POLLS = 13
    TRAINING_FAILED = 20
    TRAINING_CANCELLED = 21
    TRAINING_LOST = 22
    TESTS_FAILED = 23
    UNHEALTHY = 30
    INTERRUPTED = 130
    NOBODY_READS = 141  # as a shell tells of SIGPIPE


OF_STATUS: Mapping[int, Code] = {
    401: Code.NOT_SIGNED_IN,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    412: Code.CONFLICT,
}


class Failure(Exception):
    """A sentence for whoever typed the command, and the code to end with. `status` is 0 when nothing answered."""

    def __init__(
        self,
        message: str,
        code: Code = Code.REFUSED,
        *,
        status: int = 0,
        reason: str = "",
        details: Mapping[str, object] | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.status, self.reason = message, code, status, reason
        self.details, self.request_id = dict(details or {}), request_id

    @property
    def facts(self) -> dict[str, object]:
        return {
            "error": self.message,
            "exit_code": int(self.code),
            "status": self.status,
            "reason": self.reason,
            "details": self.details,
            "request_id": self.request_id,
        }


def code_of(status: int) -> Code:
    return OF_STATUS.get(status, Code.UNREACHABLE if status >= 500 else Code.REFUSED)
