"""Sessions of single sign-on go on only as long as the provider's do: asked in the background, by refresh token.

A browser that nobody has used since the last time is not asked for: asking would keep the provider's session alive, and
its limit for idle sessions would mean nothing. It is asked for when its person comes back, before they get an answer.
"""

import time
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from studio.access.models import BrowserSession
from studio.access.oidc import person as who
from studio.access.oidc import provider, tokens
from studio.access.oidc.claims import Claimed
from studio.access.oidc.errors import ProviderAway, SessionOver, SingleSignOnError
from studio.access.oidc.tokens import Tokens
from studio.access.services import sessions, single_sign_on
from studio.crypto import decrypt

log = structlog.get_logger()

EVERY_SECONDS = 30
LEASE = timedelta(seconds=EVERY_SECONDS)  # nobody else asks for the same session meanwhile
MOST_SECONDS = 20.0  # of one round: the schedule has other work too
PATIENCE = timedelta(seconds=60)  # the background has had its chance after this time

_USED = Q(seen_at__gt=F("renewed_at")) | Q(ends_at=None)


def renew_due() -> None:
    """One round: every session whose time has come, until the provider does not answer."""
    if not provider.is_configured():
        return
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until and (session := _claim()) is not None:
        try:
            _renew(session)
        except ProviderAway as error:
            log.warning("sessions wait for single sign-on", error=error.message)
            _end_unconfirmed()
            return


def catch_up(session_id: int) -> bool:
    """Whether a session that is used now may go on; asks at once when the provider has long not been asked."""
    overdue = BrowserSession.objects.filter(pk=session_id, confirmed_until__lt=timezone.now() - PATIENCE)
    if not overdue.exists():
        return True
    session = _claim(session_id)
    if session is None:
        return True  # somebody else is asking just now
    try:
        return _renew(session)
    except ProviderAway:
        _end_unconfirmed()
        return BrowserSession.objects.filter(pk=session_id).exists()


@transaction.atomic
def _claim(session_id: int | None = None) -> BrowserSession | None:
    """A session to ask for, which nobody else asks for within the lease. The asking itself holds no transaction."""
    now = timezone.now()
    if session_id is None:
        due = BrowserSession.objects.filter(_USED | Q(ends_at__lte=now), renew_at__lte=now)
    else:
        due = BrowserSession.objects.filter(pk=session_id, renew_at__lte=now)
    session = due.order_by("renew_at").select_for_update(skip_locked=True).first()
    if session is not None:
        BrowserSession.objects.filter(pk=session.pk).update(renew_at=now + LEASE)
    return session


def _renew(session: BrowserSession) -> bool:
    """Whether it goes on. Raises ProviderAway."""
    try:
        found, claimed = _ask(session)
    except ProviderAway:
        raise
    except SessionOver as error:
        return _end(session, error.message)
    except SingleSignOnError as error:  # ours or theirs is set up wrong: as if nobody answered
        log.warning("a session was not renewed", error=error.message, code=error.code)
        raise ProviderAway(error.message) from None
    if not session.user.is_active:
        return _end(session, "shut out")
    return _go_on(session, found, claimed)


def _ask(session: BrowserSession) -> tuple[Tokens, Claimed]:
    refresh_token = decrypt(session.refresh_token)
    if not refresh_token or (session.ends_at and session.ends_at <= timezone.now()):
        raise SessionOver("The provider's session has ended.")
    found = tokens.refresh(refresh_token)
    return found, _described(session, found)


def _described(session: BrowserSession, found: Tokens) -> Claimed:
    """Who it is now. Not every provider sends an ID token again; the user info says the same."""
    identity = session.identity
    if identity is None or identity.issuer != settings.OIDC_ISSUER:
        raise SessionOver("This session belongs to another provider.")
    if found.id_token:
        checked = tokens.verify_id_token(found.id_token)
    else:
        checked = {"iss": identity.issuer, **tokens.userinfo(found.access_token, subject=identity.subject)}
    if checked.get("sub") != identity.subject:
        raise SessionOver("The provider's session is another person's now.")
    return who.describe(checked, found.access_token)


@transaction.atomic
def _go_on(session: BrowserSession, found: Tokens, claimed: Claimed) -> bool:
    single_sign_on.follow(person=session.user, claimed=claimed)
    sessions.hold_tokens(session, found)
    fields = ("refresh_token", "id_token", "renewed_at", "renew_at", "confirmed_until", "ends_at")
    # Not save(): a session that was ended meanwhile must not come back.
    return BrowserSession.objects.filter(pk=session.pk).update(**{name: getattr(session, name) for name in fields}) == 1


def _end(session: BrowserSession, reason: str) -> bool:
    sessions.end_session(actor=None, session=session, reason=reason)
    return False


def _end_unconfirmed() -> None:
    """While the provider is away, sessions in use live on for the grace that the settings give them."""
    limit = timezone.now() - timedelta(seconds=settings.OIDC_GRACE)
    for session in BrowserSession.objects.filter(_USED, confirmed_until__lt=limit).select_related("user"):
        sessions.end_session(actor=None, session=session, reason="Single sign-on did not answer for too long.")
