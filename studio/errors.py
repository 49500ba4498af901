"""The errors services raise on purpose. Views show `message`; all others are bugs and are logged with a traceback."""

import structlog


class DomainError(Exception):
    """A request that cannot be carried out; `message` is a sentence for the person who asked.

    `code` is a stable word for programs; `details` carries facts that a page or the API shows beside the sentence.
    """

    code = "refused"

    def __init__(self, message: str, *, code: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.details = details


class Forbidden(DomainError):
    """Whoever asked may not. Whichever page shows it, the request's context keeps it for the audit log."""

    code = "forbidden"

    def __init__(self, message: str, *, code: str | None = None, **details: object) -> None:
        super().__init__(message, code=code, **details)
        structlog.contextvars.bind_contextvars(refused=message)


class Conflict(DomainError):
    """Somebody else was faster, or the name is taken."""

    code = "conflict"


class Invalid(DomainError):
    """The input is not what it must be."""

    code = "invalid"
