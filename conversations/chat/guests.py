"""Guests of share links: who opened one, how much each may write, and the chats that they hold."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from conversations.chat.sessions import begin_guest
from conversations.models import ShareGuest, ShareLink, TalkSession
from environments.services import slots
from studio.crypto import digest, keyed_digest
from studio.errors import DomainError
from studio.web.ratelimit import Window, allow

APART = timedelta(minutes=30)  # what is longer apart is another visit
FORGOTTEN_AFTER = timedelta(days=90)  # as long as a browser keeps its cookie
AT_ONCE = 5000
GUESSES = Window("share-password-guesses", most=10, seconds=600)  # of one address, at one link
ALL_GUESSES = Window("share-password-guesses-of-all", most=300, seconds=600)  # at one link
_TABLET = re.compile(r"iPad|Tablet|PlayBook|Silk|Android(?!.*Mobile)")
_PHONE = re.compile(r"Mobi|iPhone|iPod|Android")
_COMPUTER = re.compile(r"Windows|Macintosh|X11|CrOS|Linux")


# For 200 people who write at once, and for a class or a fair that shares one address.
LINK_MESSAGES_A_MINUTE = 2400
ADDRESS_MESSAGES_A_MINUTE = 400
GUEST_MESSAGES_A_MINUTE = 40
ADDRESS_CONVERSATIONS_AN_HOUR = 240
ADDRESS_GUESTS_AN_HOUR = 240


class Full(DomainError):
    """The link has all the visitors that it was made for."""

    code = "full"


class Enough(DomainError):
    """A visitor has written all the messages that one may."""

    code = "enough"


@dataclass(frozen=True, slots=True)
class About:
    """What is kept of a browser; neither its address nor all that it says of itself."""

    language: str = ""
    device: str = ""
    is_embedded: bool = False


def device_of(user_agent: str) -> str:
    if _TABLET.search(user_agent):
        return ShareGuest.Device.TABLET
    if _PHONE.search(user_agent):
        return ShareGuest.Device.PHONE
    return ShareGuest.Device.COMPUTER if _COMPUTER.search(user_agent) else ShareGuest.Device.UNKNOWN


@transaction.atomic
def meet(*, link: ShareLink, about: About) -> tuple[ShareGuest, str]:
    """A browser that opens the link for the first time, and the secret by which it is known again."""
    secret = secrets.token_urlsafe(32)
    guest = ShareGuest.objects.create(
        link=link,
        secret_digest=digest(secret),
        last_at=timezone.now(),
        language=about.language,
        device=about.device,
        is_embedded=about.is_embedded,
    )
    ShareLink.objects.filter(pk=link.pk).update(opened_count=F("opened_count") + 1)
    return guest, secret


def find_guest(link: ShareLink, secret: str) -> ShareGuest | None:
    if not secret:
        return None
    known = ShareGuest.objects.select_related("session").filter(link=link, secret_digest=digest(secret)).first()
    if known is not None:
        known.link = link
    return known


@transaction.atomic
def come_back(guest: ShareGuest) -> None:
    """The page was opened again; a while after the last time that is another visit."""
    now = timezone.now()
    rows = ShareGuest.objects.filter(pk=guest.pk)
    if not rows.filter(last_at__lt=now - APART).update(last_at=now, visits_count=F("visits_count") + 1):
        rows.update(last_at=now)
    elif rows.filter(visits_count=2).exists():
        ShareLink.objects.filter(pk=guest.link_id).update(returned_count=F("returned_count") + 1)


def session_of(guest: ShareGuest | None, link: ShareLink) -> TalkSession | None:
    """The chat that a guest is in; none from before the link moved to another target."""
    session = guest.session if guest is not None else None
    if session is None or (session.environment_id, session.model_id) != (link.environment_id, link.model_id):
        return None
    session.environment, session.model = link.environment, link.model  # with all that sending needs
    return session


@transaction.atomic
def begin(*, guest: ShareGuest, link: ShareLink) -> TalkSession:
    """A guest's chat, at their first word. Raises Full when they are one too many."""
    row = ShareGuest.objects.select_for_update(no_key=True).get(pk=guest.pk)
    if not row.is_in:
        _take_a_place(link)
    session = begin_guest(link=link, guest=row)
    ShareGuest.objects.filter(pk=row.pk).update(session=session, is_in=True)
    guest.session, guest.is_in = session, True
    return session


def _take_a_place(link: ShareLink) -> None:
    """Counted by the database, so that two who come at once do not both get the last one."""
    free = Q(visitors_limit=0) | Q(wrote_count__lt=F("visitors_limit"))
    if not ShareLink.objects.filter(free, pk=link.pk).update(wrote_count=F("wrote_count") + 1):
        raise Full("This link has all the visitors that it was made for.")


def is_full_for(guest: ShareGuest | None, link: ShareLink) -> bool:
    """Whether they would be one too many; those who are in go on."""
    return is_full(link) and not (guest is not None and guest.is_in)


def is_full(link: ShareLink) -> bool:
    return 0 < link.visitors_limit <= link.wrote_count


def count_message(guest: ShareGuest, link: ShareLink) -> None:
    """One more message of theirs. Raises Enough when it is one too many, also of several sent at once."""
    rows = ShareGuest.objects.filter(pk=guest.pk)
    if link.messages_limit:
        rows = rows.filter(messages_count__lt=link.messages_limit)
    if not rows.update(messages_count=F("messages_count") + 1, last_at=timezone.now()):
        raise Enough("This visitor has written all the messages that one may.")


def uncount_message(guest: ShareGuest) -> None:
    """It was never heard."""
    less = Greatest(F("messages_count") - 1, Value(0))
    ShareGuest.objects.filter(pk=guest.pk, messages_count__gt=0).update(messages_count=less)


def may_meet(address: str | None) -> bool:
    """Whether one more guest whom nobody knows may come from there."""
    return allow(f"guest-met:{address}", ADDRESS_GUESTS_AN_HOUR, 3600)


def may_say(link: ShareLink, guest: ShareGuest | None, address: str | None, *, is_new: bool) -> bool:
    """Whether it is not too much at once; `is_new` is the first word of a chat. Counts it."""
    return (
        allow(f"guest-from:{address}", ADDRESS_MESSAGES_A_MINUTE, 60)
        and (guest is None or allow(f"guest:{guest.pk}", GUEST_MESSAGES_A_MINUTE, 60))
        and allow(f"guest-link:{link.pk}", LINK_MESSAGES_A_MINUTE, 60)
        and (not is_new or allow(f"guest-new:{address}", ADDRESS_CONVERSATIONS_AN_HOUR, 3600))
    )


def wake(link: ShareLink) -> bool:
    """Have the link's model start when no slot serves it; whether it will answer in a while."""
    if link.model is None:
        return False
    try:
        slot = slots.wake(actor=None, model=link.model, actor_label=f"guests of {link.name}")
    except DomainError:
        return False
    return slot is not None and slot.is_usable


def leave(guest: ShareGuest) -> None:
    """Their next word begins a chat anew. The old one stays with the team."""
    ShareGuest.objects.filter(pk=guest.pk).update(session=None)


def forget_guests(ids: Iterable[int]) -> None:
    """Of those whose chats were erased: nothing stays of whoever has no other."""
    ShareGuest.objects.filter(pk__in=list(ids), sessions=None, is_in=True).delete()


def sweep() -> int:
    """Delete guests who only looked, once their browser has forgotten it too; returns how many."""
    old = ShareGuest.objects.filter(is_in=False, last_at__lt=timezone.now() - FORGOTTEN_AFTER)
    deleted, _ = ShareGuest.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:AT_ONCE])).delete()
    return deleted


# --- Passwords of links -----------------------------------------------------------------------------------------------


def hashed(password: str) -> str:
    """As links keep it; empty for none."""
    return make_password(password) if password else ""


def try_password(link: ShareLink, address: str | None, typed: str) -> tuple[bool, int]:
    """(whether it is the link's, the seconds to wait after too many that were not).

    Each try is counted before it is looked at, so that many at once are no way around; one that was right is given
    back, for many guests can share an address. What one address tries too often counts for nobody else. Raises
    NotCounted while Redis is away, for then anybody could guess on and on.
    """
    limits = ((GUESSES, f"{link.pk}:{address}"), (ALL_GUESSES, str(link.pk)))
    for window, who in limits:
        seconds = window.count_surely(who)
        if seconds:
            return False, seconds
    if not check_password(typed, link.password):
        return False, 0
    for window, who in limits:
        window.give_back(who)
    return True, 0


def pass_of(link: ShareLink) -> str:
    """What a browser shows after the right password. Another password makes it worthless."""
    return keyed_digest("share-password", f"{link.pk}:{link.password}").hex()


def may_pass(link: ShareLink, shown: str) -> bool:
    return not link.password or constant_time_compare(shown, pass_of(link))
