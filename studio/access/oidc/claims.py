"""What the provider says of a person, in our words. Pure: no request and no row."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LONGEST = 255
_NOT_IN_USER_NAMES = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True)
class Naming:
    """Which claims hold what. `role_map` has pairs of (name there, role here); other names map to themselves."""

    username: str = "preferred_username"
    roles: Sequence[str] = ("realm_access.roles",)
    groups: str = "groups"
    role_map: Sequence[tuple[str, str]] = ()

    def are_in(self, claims: Mapping[str, object]) -> bool:
        """Whether these claims answer everything, so that nothing further need be asked."""
        return all(find(claims, path) is not None for path in (self.username, self.groups, *self.roles))


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who came. `issuer` and `subject` say who it is for good; everything else may change."""

    issuer: str
    subject: str
    username: str
    name: str
    email: str
    roles: frozenset[str]
    groups: tuple[str, ...]


def read(claims: Mapping[str, object], naming: Naming) -> Claimed:
    """`claims` as checked: `iss` and `sub` are there."""
    email = _text(claims.get("email"))
    subject = str(claims["sub"])
    username = _text(find(claims, naming.username)) or email or subject
    return Claimed(
        issuer=str(claims["iss"]),
        subject=subject,
        username=_NOT_IN_USER_NAMES.sub("-", username)[:150],
        name=_text(claims.get("name"))[:200],
        email=email if len(email) <= 254 else "",
        roles=roles_of(claims, naming),
        groups=groups_of(claims, naming),
    )


def roles_of(claims: Mapping[str, object], naming: Naming) -> frozenset[str]:
    """Names of roles here, whether or not there is such a role."""
    there = {name for path in naming.roles for name in _names(find(claims, path))}
    mapped = {here for name, here in naming.role_map if name in there}
    return frozenset(mapped | there - {name for name, _ in naming.role_map})


def groups_of(claims: Mapping[str, object], naming: Naming) -> tuple[str, ...]:
    """Group names in order; a leading slash, with which Keycloak writes a whole path, is left out."""
    return tuple(sorted(set(_names(find(claims, naming.groups)))))


def find(claims: Mapping[str, object], path: str) -> object:
    """The value at a dotted path, or None. A name may hold dots of its own (`https://example.com/roles`)."""
    if path in claims:
        return claims[path]
    for dot in re.finditer(r"\.", path):
        inner = claims.get(path[: dot.start()])
        if isinstance(inner, Mapping) and (found := find(inner, path[dot.end() :])) is not None:
            return found
    return None


def _names(value: object) -> Iterable[str]:
    """The plain names of a claim that holds one or a list of them; what is too long for a column names nothing."""
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    cleaned = (_text(one).removeprefix("/") for one in values)
    return [name for name in cleaned if name and len(name) <= LONGEST]


def _text(value: object) -> str:
    """PostgreSQL takes no NUL."""
    return value.replace("\0", "").strip() if isinstance(value, str) else ""
