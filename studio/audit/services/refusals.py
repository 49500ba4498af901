"""Refusals: what somebody may not do and tried, with the request's facts and without its secrets.

A refusal is written in a transaction of its own, after that of the refused act has ended. The first of its kind is
written at once. The same again within its window is only counted in Redis, and `write_repeated` writes one row with
that number: nobody fills the table by asking the same a million times.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone
from redis.exceptions import RedisError

from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.audit.services import record
from studio.redis import client
from studio.web.addresses import client_address

log = structlog.get_logger()

STRANGER = "somebody not signed in"
WINDOW_SECONDS = 60
MACHINE_WINDOW_SECONDS = 3600  # a server with a wrong token asks every few seconds, for days
# Names of URL parts that are secrets, or somebody who may be erased.
SECRET_WORDS = ("code", "secret", "token", "key", "sender")

_REPEATED = "parley:refusals"
_SEEN = "parley:refused:"

# 1 for the first of its kind in the window; every further one is counted instead.
_COUNT = """
local kind = redis.sha1hex(ARGV[1])
if redis.call('SET', KEYS[2] .. kind, '1', 'NX', 'EX', ARGV[2]) then return 1 end
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
return 0
"""
# The counts whose window has ended, taken away.
_TAKE = """
local taken, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if redis.call('EXISTS', KEYS[2] .. redis.sha1hex(all[i])) == 0 then
    redis.call('HDEL', KEYS[1], all[i])
    taken[#taken + 1] = all[i]
    taken[#taken + 1] = all[i + 1]
  end
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes two refusals the same: who, and what. Paths with different ids are one kind, as long as the URL is."""

    actor_id: int | None
    actor_label: str
    action: str
    assistant_id: int | None
    address: str | None  # of strangers alone: a person is the same everywhere
    url: str
    permission: str
    reason: str


def note(
    request: HttpRequest,
    action: Action = Action.ACCESS_REFUSED,
    *,
    reason: str,
    permissions: Sequence[Permission] = (),
    actor_label: str = "",
    window: int = WINDOW_SECONDS,
) -> None:
    """Record that this request was refused. Never raises: the refusal itself stands, recorded or not."""
    kind = _kind(request, action, reason, permissions, actor_label)
    try:
        if _is_first(kind, window):
            asked = {"request": describe(request), "agent": _agent(request)}
            _write(kind, asked, address=client_address(request))
    except DatabaseError:
        log.exception("refusal not recorded", action=action, url=kind.url)


def note_denied(request: HttpRequest, error: Exception) -> None:
    """Record a PermissionDenied, with the permissions that a MissingPermission names."""
    permissions = error.permissions if isinstance(error, MissingPermission) else ()
    note(request, reason=str(error), permissions=permissions)


def write_repeated() -> None:
    """One row for all repetitions of each kind whose window has ended."""
    taken = client().eval(_TAKE, 2, _REPEATED, _SEEN)
    assert isinstance(taken, list)
    for text, times in zip(taken[::2], taken[1::2], strict=True):
        kind = Kind(**json.loads(text))
        _write(kind, {"repeated": int(times)}, address=kind.address)


def describe(request: HttpRequest) -> str:
    """Method and path, without the query and with secrets of the path masked."""
    path = request.path
    match = request.resolver_match
    for name in SECRET_WORDS:
        value = match.kwargs.get(name) if match else None
        if isinstance(value, str) and value:
            path = path.replace(value, "...")
    return f"{request.method} {path}"[:300].replace("\0", "")


def _kind(
    request: HttpRequest, action: Action, reason: str, permissions: Sequence[Permission], actor_label: str
) -> Kind:
    user = getattr(request, "user", AnonymousUser())
    person = user if isinstance(user, User) else None
    match = request.resolver_match
    return Kind(
        actor_id=person.pk if person else None,
        actor_label=actor_label or (person.username if person else STRANGER),
        action=action,
        assistant_id=getattr(getattr(request, "assistant", None), "pk", None),
        address=None if person else client_address(request),
        url=f"{request.method} {match.route if match else ''}",
        permission=", ".join(permission.label for permission in permissions),
        reason=reason,
    )


def _agent(request: HttpRequest) -> str:
    return str(request.headers.get("User-Agent", ""))[:200].replace("\0", "")


def _is_first(kind: Kind, window: int) -> bool:
    text = json.dumps(asdict(kind), sort_keys=True)
    try:
        return bool(client().eval(_COUNT, 2, _REPEATED, _SEEN, text, str(window)))
    except RedisError:
        return not _was_written(kind, window)


def _was_written(kind: Kind, window: int) -> bool:
    """Without Redis repetitions are dropped and not counted."""
    lately = timezone.now() - timedelta(seconds=window)
    same = {"actor_label": kind.actor_label, "reason": kind.reason, "assistant_id": kind.assistant_id}
    return AuditEvent.objects.filter(action=kind.action, at__gte=lately, **same).exists()


def _write(kind: Kind, facts: Mapping[str, object], *, address: str | None) -> None:
    after = {"permission": kind.permission, **facts} if kind.permission else facts
    with transaction.atomic(), structlog.contextvars.bound_contextvars(address=address):
        record(
            User.objects.filter(pk=kind.actor_id).first() if kind.actor_id else None,
            Action(kind.action),
            assistant_id=kind.assistant_id,
            after=after,
            reason=kind.reason,
            actor_label=kind.actor_label,
        )
