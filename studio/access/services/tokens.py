"""The only writer of API tokens, and the one place that tells whose a token is.

A token is `parley_<key>.<secret>`: the key finds the row and may be read by anybody, the secret is 256 random bits of
which only the digest is kept.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from studio.access.models import ApiToken, User
from studio.access.permissions import EVERYWHERE, Limit, Permission, Scope
from studio.access.rights import refuse_beyond
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import digest
from studio.errors import Conflict, Invalid
from studio.web.ratelimit import TooMany, Window

LONGEST_OVERLAP = timedelta(days=7)
USED_EVERY = timedelta(seconds=60)  # the last use is written this often

# Failures alone are counted, but for the last: a script with a right token is not stopped by its own success.
FAILURES_BY_ADDRESS = Window("token-failures-from", most=60, seconds=300)
FAILURES_BY_KEY = Window("token-failures-of", most=60, seconds=300)
USES = Window("token-uses", most=6000, seconds=60)

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_FORM = re.compile(r"parley_([a-z2-7]{12})\.([A-Za-z0-9_-]{43})")
_NOBODYS_DIGEST = digest("the secret of a token that does not exist")


class Parts(NamedTuple):
    key: str
    secret: str


NO_PARTS = Parts("", "")  # no token has this key


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and the text to give to its user. The text is nowhere else, so it can be shown this once alone."""

    row: ApiToken
    text: str


def parse(text: str) -> Parts:
    """The two parts of what somebody shows as a token; NO_PARTS for what is none."""
    found = _FORM.fullmatch(text)
    return Parts(*found.groups()) if found else NO_PARTS


# --- Making and ending ------------------------------------------------------------------------------------------------


@transaction.atomic
def make(
    *,
    actor: User,
    user: User,
    name: str,
    permissions: Iterable[str],
    scope: Scope = EVERYWHERE,
    scope_label: str = "",
    expires_at: datetime | None = None,
) -> Made:
    """A token by which `user` acts, with `permissions` in `scope`: no more than `actor` has there, who reads it first.

    It never does more than its user may at the time of use, whatever it says.
    """
    wanted = sorted({Permission(value) for value in permissions})
    if not wanted:
        raise Invalid("Choose at least one permission: a token without any can do nothing.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("A token must end in the future.")
    if not user.is_active:
        raise Conflict(f"{user} is shut out, so a token would be refused everywhere.")
    refuse_beyond(actor, wanted, scope, what="You cannot make this token")
    made = _insert(
        user=user,
        name=name,
        permissions=list(wanted),
        assistant_id=scope.assistant_id,
        environment_id=scope.environment_id,
        scope_label=scope_label,
        created_by=actor,
        expires_at=expires_at,
    )
    record(actor, Action.TOKEN_MADE, made.row, assistant_id=scope.assistant_id, after=_words(made.row))
    return made


def _insert(**fields: object) -> Made:
    key = "".join(secrets.choice(_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    row = ApiToken.objects.create(key=key, digest=digest(secret), **fields)
    return Made(row, f"parley_{key}.{secret}")


@transaction.atomic
def revoke(*, actor: User | None, token: ApiToken, reason: str = "") -> None:
    """End a token at once and for ever. Without `actor` it is Parley's doing, and `reason` says why."""
    if not _revoke(ApiToken.objects.filter(pk=token.pk)):
        raise Conflict("This token was revoked before.")
    where, before = token.assistant_id, _words(token)
    record(actor, Action.TOKEN_REVOKED, token, assistant_id=where, before=before, reason=reason)


def revoke_all(user: User) -> int:
    """End all tokens of an account, in the caller's transaction and under the caller's audit event."""
    return _revoke(user.api_tokens.all())


def _revoke(tokens: QuerySet[ApiToken]) -> int:
    return tokens.filter(revoked_at=None).update(revoked_at=timezone.now())


@transaction.atomic
def rotate(*, actor: User, token: ApiToken, overlap: timedelta) -> Made:
    """A new token like `token`, which itself ends after `overlap`. The new one lives as long as the old one was given.

    Two at once: the second finds the token replaced, and is refused.
    """
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise Invalid(f"The old token may stay valid for {LONGEST_OVERLAP.days} days at most.")
    old = ApiToken.objects.select_for_update(of=("self",)).select_related("user").get(pk=token.pk)
    if not is_live(old) or old.replaced_by_id is not None:
        raise Conflict("This token has ended or was replaced before. Make a new one instead.")
    refuse_beyond(actor, old.permissions, old.scope, what="You cannot rotate this token")
    now = timezone.now()
    made = _insert(
        user=old.user,
        name=old.name,
        permissions=old.permissions,
        assistant_id=old.assistant_id,
        environment_id=old.environment_id,
        scope_label=old.scope_label,
        created_by=actor,
        expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
    )
    old.replaced_by = made.row
    old.expires_at = min(old.expires_at or now + overlap, now + overlap)
    old.save(update_fields=["replaced_by", "expires_at"])
    after = {"key": made.row.key, "old one ends": old.expires_at.isoformat(timespec="seconds")}
    record(actor, Action.TOKEN_ROTATED, old, assistant_id=old.assistant_id, before={"key": old.key}, after=after)
    return made


def _words(row: ApiToken) -> dict[str, object]:
    return {
        "of": row.user.username,
        "key": row.key,
        "permissions": row.permissions,
        "where": row.scope_label or "everywhere",
        "expires": row.expires_at.isoformat(timespec="seconds") if row.expires_at else "never",
    }


# --- Showing one ------------------------------------------------------------------------------------------------------


def is_live(row: ApiToken) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > timezone.now())


def live() -> Q:
    """The same as a condition on rows."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def authenticate(text: str, address: str | None) -> ApiToken | None:
    """The token that `text` is, whose `user` carries its limit; None for every text that lets nobody in.

    Unknown, wrong, expired, revoked and of somebody shut out take the same steps and get the same answer. Raises
    TooMany after too many failures of an address or of a key. Then only the address from which the token was used
    last gets in with it, so that nobody can stop a script by failing in its name or next to it.
    """
    key, secret = parse(text)
    row = ApiToken.objects.select_related("user").filter(key=key).first()
    is_right = hmac.compare_digest(bytes(row.digest) if row else _NOBODYS_DIGEST, digest(secret))
    is_known_here = row is not None and is_right and address is not None and row.last_used_from == address
    if not is_known_here:
        _refuse_flood(max(FAILURES_BY_ADDRESS.wait(address), FAILURES_BY_KEY.wait(key) if key else 0))
    if row is None or not is_right or not is_live(row) or not row.user.is_active:
        FAILURES_BY_ADDRESS.count(address)
        if key:
            FAILURES_BY_KEY.count(key)
        return None
    _refuse_flood(USES.count(key), "This token is used too often.")
    _note_use(row, address)
    row.user.limit = Limit(frozenset(row.permissions), row.scope)
    return row


def _refuse_flood(seconds: int, why: str = "Too many wrong tokens came from here, or with this key.") -> None:
    if seconds:
        raise TooMany(f"{why} Try again in {seconds} seconds.", seconds)


def _note_use(row: ApiToken, address: str | None) -> None:
    """Now and then. A request that comes while another writes the same row does not wait for it, and writes nothing."""
    now = timezone.now()
    if row.last_used_at is not None and row.last_used_at > now - USED_EVERY:
        return
    with transaction.atomic():
        free = ApiToken.objects.select_for_update(skip_locked=True).filter(pk=row.pk)
        ApiToken.objects.filter(pk__in=free.values("pk")).update(last_used_at=now, last_used_from=address)
