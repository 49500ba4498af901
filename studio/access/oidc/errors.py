"""Why a sign-in cannot go on. `message` is for the person, `code` for the audit log, `status` for the page."""

from typing import ClassVar

from studio.errors import DomainError


class SingleSignOnError(DomainError):
    code = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "You are not signed in"


class ProviderAway(SingleSignOnError):
    """It does not answer, or only with a server error: trying again later may help."""

    code = "provider-away"
    status = 503
    title = "Single sign-on does not answer"


class ProviderRefuses(SingleSignOnError):
    """It answers and wants nothing of us: settings there or here are wrong, and trying again helps nobody."""

    code = "provider-refuses"
    status = 502
    title = "Single sign-on is not set up right"


class TokenRefused(SingleSignOnError):
    """A token that the provider did not make for us, or not for now."""

    code = "forged-token"
    status = 403


class SessionOver(SingleSignOnError):
    """The provider ended the session that a code or a refresh token belongs to."""

    code = "session-over"


class StateUnknown(SingleSignOnError):
    """The answer belongs to no sign-in that this browser began, or to one that is done."""

    code = "state-unknown"
    title = "This sign-in is over"


class ShutOut(SingleSignOnError):
    code = "shut-out"
    status = 403


class TooOften(SingleSignOnError):
    code = "too-often"
    status = 429
