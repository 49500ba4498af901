"""Grants as pages show them: with today's name of their place, and where they come from."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from studio.access import scopes
from studio.access.models import Grant
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
