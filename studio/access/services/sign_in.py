"""Signing in: lock-out after repeated failures, and links that sign one person in once."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.access.models import SignInFailure, SignInLink, User
from studio.access.rights import why_not_become
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import digest
from studio.errors import Forbidden
from studio.web.ratelimit import TooMany, Window

LINK_LIFE = timedelta(hours=1)
LINK_GUESSES = Window("sign-in-link-guesses", most=20, seconds=900)  # of one address


class LockedOut(Forbidden):
    code = "locked-out"


def refuse_locked_out(username: str, address: str | None) -> None:
    """Raise LockedOut while the account, or four times as often the address, has failed too often lately."""
    since = timezone.now() - timedelta(seconds=settings.LOCKOUT_SECONDS)
    recent = SignInFailure.objects.filter(at__gte=since)
    limit = settings.LOCKOUT_FAILURES
    by_account = recent.filter(username=username.lower()[:150]).count()
    by_address = recent.filter(address=address).count() if address else 0
    if by_account >= limit or by_address >= 4 * limit:
        minutes = max(1, settings.LOCKOUT_SECONDS // 60)
        raise LockedOut(
            f"Too many failed attempts. Wait {minutes} minutes, or ask an admin for a one-time sign-in link."
        )


@transaction.atomic
def record_failure(username: str, address: str | None) -> None:
    SignInFailure.objects.create(username=username.lower()[:150], address=address)
    record(None, Action.SIGN_IN_REFUSED, actor_label=username[:200], after={"address": address})


@transaction.atomic
def record_success(person: User, *, by: str) -> None:
    """`by` is password, link or single sign-on."""
    SignInFailure.objects.filter(username=person.username.lower()).delete()
    record(person, Action.SIGNED_IN, person, after={"by": by})


@transaction.atomic
def make_link(*, actor: User | None, person: User, life: timedelta = LINK_LIFE) -> str:
    """The secret of a new one-time sign-in link; it is shown once and stored as a digest.

    Whoever has it is that person, so nobody makes one for somebody who may more than they do.
    """
    reason = why_no_link(actor=actor, person=person)
    if reason:
        raise Forbidden(reason)
    secret = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=person, digest=digest(secret), expires_at=timezone.now() + life)
    record(actor, Action.SIGN_IN_LINK_MADE, person)
    return secret


def why_no_link(*, actor: User | None, person: User) -> str:
    """Why `actor` cannot make a sign-in link for `person`; empty when they can."""
    if person.kind != User.Kind.PERSON:
        return f"{person} is a service account. It never signs in, and acts by tokens alone."
    if not person.is_active:
        return f"{person} is shut out. Let them in first."
    missing = why_not_become(actor, person)
    return f"You cannot make a sign-in link for {person}: {missing}" if missing else ""


def refuse_guesses(address: str | None) -> None:
    """Raise TooMany while an address has shown too many links that are none."""
    seconds = LINK_GUESSES.wait(address)
    if seconds:
        minutes = -(-seconds // 60)
        raise TooMany(f"Too many links from here did not work. Try again in {minutes} minutes.", seconds)


@transaction.atomic
def use_link(secret: str) -> User | None:
    """The person whose link this is, once; None when it is unknown, used or expired, or the person is shut out."""
    now = timezone.now()
    links = SignInLink.objects.filter(
        digest=digest(secret),
        used_at=None,
        expires_at__gt=now,
        user__is_active=True,
        user__kind=User.Kind.PERSON,
    )
    link = links.select_related("user").first()
    if link is None or links.update(used_at=now) != 1:
        return None
    record_success(link.user, by="link")
    return link.user


def forget_old() -> None:
    """Failures that lock nobody out any more, and links that nobody can use; the audit log keeps what happened."""
    now = timezone.now()
    SignInFailure.objects.filter(at__lt=now - timedelta(seconds=settings.LOCKOUT_SECONDS)).delete()
    SignInLink.objects.filter(expires_at__lt=now - LINK_LIFE).delete()
