"""Grants and sessions as pages show them: with today's name of a place, the source, and a browser's name."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from studio.access import scopes
from studio.access.models import BrowserSession, Grant
from studio.access.services.grants import why_grant_stays


@dataclass(frozen=True, slots=True)
class GrantLine:
    """`where` is the place's name now, or the one it had before it was deleted."""

    row: Grant
    where: str
    is_gone: bool

    @property
    def is_by_group(self) -> bool:
        return bool(self.row.group)

    @property
    def stays(self) -> str:
        """Why it cannot be taken away here; empty when it can."""
        return why_grant_stays(self.row)

    @property
    def source(self) -> str:
        if self.row.source == Grant.Source.SINGLE_SIGN_ON:
            return f"from {settings.OIDC_NAME}"
        return f"given here by {self.row.created_by}" if self.row.created_by else "given here"

    @property
    def why(self) -> str:
        """The source as the person who holds it reads it."""
        return f"by the group {self.row.group}" if self.row.group else self.source


def grant_lines(grants: Iterable[Grant], places: Iterable[scopes.Place]) -> list[GrantLine]:
    names = {scopes.encode(place.scope): place.label for place in places}
    return [_line(grant, names) for grant in grants]


def _line(grant: Grant, names: dict[str, str]) -> GrantLine:
    key = scopes.encode(grant.scope)
    if not key:
        return GrantLine(grant, "Everywhere", is_gone=False)
    return GrantLine(grant, names.get(key, grant.scope_label), is_gone=key not in names)


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One signed-in browser; `browser` is `Firefox on Linux`, or what it says of itself when we know neither word."""

    row: BrowserSession
    browser: str


def session_lines(sessions: Iterable[BrowserSession]) -> list[SessionLine]:
    return [SessionLine(session, browser_of(session.agent)) for session in sessions]


# The first that is found counts: Chrome also calls itself Safari, and Edge calls itself both.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_of(agent: str) -> str:
    browser = next((word for sign, word in _BROWSERS if sign in agent), "")
    system = next((word for sign, word in _SYSTEMS if sign in agent), "")
    return " on ".join(filter(None, (browser, system))) or agent[:60] or "unknown"
