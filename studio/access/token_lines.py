"""API tokens as pages show them: their state in a word, and where they count by today's names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from studio.access import scopes
from studio.access.models import ApiToken, User
from studio.access.permissions import Permission
from studio.access.services.tokens import is_live, live

SOON = timedelta(days=7)
MOST = 200  # on an account's page


@dataclass(frozen=True, slots=True)
class TokenLine:
    """`where` is the place's name now, or the one it had before it was deleted."""

    row: ApiToken
    where: str
    is_gone: bool

    @property
    def is_live(self) -> bool:
        return is_live(self.row)

    @property
    def can_rotate(self) -> bool:
        return self.is_live and self.row.replaced_by_id is None

    @property
    def permissions(self) -> str:
        """In words; of another version's, the plain value."""
        labels = {one.value: one.label for one in Permission}
        return ", ".join(labels.get(value, value) for value in self.row.permissions)

    @property
    def status(self) -> tuple[str, str]:
        """Kind and words for the status tag."""
        if self.row.revoked_at is not None:
            return "silent", "Revoked"
        if not self.is_live:
            return "silent", "Expired"
        if self.row.replaced_by_id is not None:
            return "busy", "Replaced"
        if self.row.expires_at is not None and self.row.expires_at - timezone.now() <= SOON:
            return "warning", "Expires soon"
        return "running", "Valid"


@dataclass(frozen=True, slots=True)
class TokenList:
    """An account's tokens on its page: those in use, or also the `ended`, of which there are so many."""

    lines: list[TokenLine]
    shows_all: bool
    ended: int


def list_of(account: User, places: Iterable[scopes.Place], *, shows_all: bool) -> TokenList:
    every = account.api_tokens.all()
    rows = every if shows_all else every.filter(live())
    return TokenList(token_lines(rows[:MOST], places), shows_all, every.exclude(live()).count())


def token_lines(tokens: Iterable[ApiToken], places: Iterable[scopes.Place]) -> list[TokenLine]:
    names = {place.scope: place.label for place in places}
    return [
        TokenLine(
            row,
            "Everywhere" if row.assistant_id is None else names.get(row.scope, row.scope_label),
            is_gone=row.assistant_id is not None and row.scope not in names,
        )
        for row in tokens
    ]
