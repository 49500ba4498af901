"""The only writer of browser sessions: which browsers are signed in as whom, since when, and their end."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from studio.access.models import BrowserSession, User
from studio.access.oidc.person import Arrival
from studio.access.oidc.tokens import Tokens
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import encrypt

By = BrowserSession.By
Sessions = QuerySet[BrowserSession]

MARK = "browser_session"  # in Django's session: the id of its row here
ISSUER = "issuer"  # in Django's session: the provider that it came from, if any
SEEN_EVERY = timedelta(seconds=60)
# Without a refresh token nobody can ask whether the provider's session goes on: ours then ends after this time.
WITHOUT_RENEWAL = timedelta(hours=10)
_LIFE_NOT_SAID = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a browser is, and which one it says it is."""

    address: str | None = None
    agent: str = ""


@transaction.atomic
def begin(
    *, actor: User, session: SessionBase, by: By, visitor: Visitor, arrival: Arrival | None = None
) -> BrowserSession:
    """Note a sign-in that has just happened in `session`."""
    if MARK in session:  # signed in again without signing out, where Django keeps the old key
        session.cycle_key()
        _drop(BrowserSession.objects.filter(pk=session[MARK]))
    row = BrowserSession(
        user=actor,
        session_key=session.session_key or "",
        by=by,
        address=visitor.address,
        agent=visitor.agent.replace("\0", "")[:300],
    )
    if arrival is not None:
        row.identity, row.provider_session = arrival.identity, arrival.provider_session[:255]
        hold_tokens(row, arrival.tokens)
    row.save()
    session[MARK] = row.pk
    session[ISSUER] = arrival.identity.issuer if arrival else ""
    User.objects.filter(pk=actor.pk).update(last_seen_at=timezone.now())
    return row


def hold_tokens(row: BrowserSession, tokens: Tokens) -> None:
    """Put what the provider gave into the row, which the caller saves."""
    now = timezone.now()
    row.refresh_token = encrypt(tokens.refresh_token)
    row.id_token = encrypt(tokens.id_token) or row.id_token
    row.renewed_at = now
    if not tokens.refresh_token:
        row.renew_at = row.confirmed_until = row.ends_at = now + WITHOUT_RENEWAL
        return
    life = timedelta(seconds=tokens.expires_in) if tokens.expires_in else _LIFE_NOT_SAID
    row.confirmed_until = now + life
    row.renew_at = now + life * 0.8
    row.ends_at = now + timedelta(seconds=tokens.refresh_expires_in) if tokens.refresh_expires_in else None


def seen(session_id: int) -> None:
    """A person did something in this session just now; written at most once a minute."""
    now = timezone.now()
    stale = BrowserSession.objects.filter(pk=session_id, seen_at__lt=now - SEEN_EVERY)
    if stale.update(seen_at=now):
        User.objects.filter(browser_sessions=session_id).update(last_seen_at=now)


def here(session: SessionBase) -> int:
    """The id of the row of a session; 0, which none has, for one without."""
    return int(session.get(MARK, 0))


def move(session: SessionBase) -> None:
    """Django has given `session` another key."""
    BrowserSession.objects.filter(pk=here(session)).update(session_key=session.session_key)


@transaction.atomic
def leave(*, actor: User, session: SessionBase) -> None:
    """Somebody signs out of the browser they use."""
    _drop(BrowserSession.objects.filter(pk=here(session)))
    record(actor, Action.SIGNED_OUT)


def sessions_of(person: User) -> Sessions:
    """The browsers where a person is signed in, the last used first."""
    return person.browser_sessions.filter(session_key__in=_live()).select_related("identity")


@transaction.atomic
def end_session(*, actor: User | None, session: BrowserSession, reason: str = "") -> None:
    """Sign one browser out. Without `actor` it is the provider's or Parley's doing, and `reason` says which."""
    if _drop(BrowserSession.objects.filter(pk=session.pk)):
        before = {"began": session.began_at.isoformat(), "by": session.get_by_display(), "address": session.address}
        record(actor, Action.SESSION_ENDED, session.user, before=before, reason=reason)


@transaction.atomic
def end_all(*, actor: User | None, person: User, reason: str = "") -> None:
    """Sign a person out of every browser."""
    count = drop_all(person)
    record(actor, Action.SESSION_ENDED, person, before={"sessions": count}, reason=reason)


@transaction.atomic
def end_others(*, actor: User, keep: int) -> None:
    """Sign somebody out of every browser but the one they ask from, whose session has the id `keep`.

    The caller puts the new number into that one's session, as after a change of password.
    """
    count = drop_all(actor, keep)
    record(actor, Action.SESSION_ENDED, actor, before={"sessions": count}, reason="All but the one they used.")


@transaction.atomic
def end_of_provider(*, issuer: str, provider_session: str, subject: str) -> None:
    """End what the provider has ended: the sessions of one of its own, or all of one person's."""
    ended = BrowserSession.objects.filter(identity__issuer=issuer).select_related("user")
    if provider_session:
        ended = ended.filter(provider_session=provider_session)
    if subject:
        ended = ended.filter(identity__subject=subject)
    for session in ended:
        end_session(actor=None, session=session, reason="Signed out at the single sign-on.")


def drop_all(person: User, keep: int = 0) -> int:
    """End every session of a person but `keep`, in the caller's transaction and under the caller's audit event.

    Also those without a row here: they carry a number that is the person's no more. The database counts, for a number
    read earlier may be old.
    """
    User.objects.filter(pk=person.pk).update(session_epoch=F("session_epoch") + 1)
    person.refresh_from_db(fields=["session_epoch"])
    return _drop(person.browser_sessions.exclude(pk=keep))


def _drop(rows: Sessions) -> int:
    """Delete rows together with the sessions of Django's that they stand for."""
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    BrowserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)


@transaction.atomic
def forget_over() -> None:
    """Sessions that ran out, of Django's and of ours."""
    Session.objects.filter(expire_date__lte=timezone.now()).delete()
    BrowserSession.objects.filter(~Q(session_key__in=_live()), began_at__lt=timezone.now() - SEEN_EVERY).delete()


def _live() -> "QuerySet[Session, str]":
    return Session.objects.filter(expire_date__gt=timezone.now()).values_list("session_key", flat=True)
