"""What guests think of replies: kept as soon as they say so, tied to the reply's event once that has arrived."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core import signing
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from conversations.chat.transcript import conversation_of, turns_since
from conversations.chat.turns import Turn
from conversations.models import Conversation, Event, Rating, ShareLink, TalkSession
from conversations.models.guests import LONGEST_COMMENT
from studio.crypto import keyed_digest
from studio.errors import Conflict, Invalid

_SALT = "parley.reply"
_RECEIPT_SECONDS = 30 * 24 * 3600
_WAITS = timedelta(seconds=_RECEIPT_SECONDS)  # for the event; then it stays with the conversation alone
_SOON = timedelta(seconds=10)
_PATIENCE = 10  # the next look comes after a tenth of the time that it has waited
_CLOCKS_APART = 60.0  # seconds, of Rasa's clock and ours, at most
_LONGEST_KEY = 400
AT_ONCE = 200  # sessions


@dataclass(frozen=True, slots=True)
class Rate:
    """A reply as its guest can rate it. `key` names it: `e17` is an event, anything else a receipt of `receipt_for`."""

    key: str
    value: str = ""  # up, down, or empty
    comment: str = ""


def receipt_for(session: TalkSession, sent: str, answered_at: float) -> str:
    """Names an answer whose event has not come yet. Signed, so that a browser can name only what it was answered."""
    facts = {"s": session.pk, "r": secrets.token_hex(8), "d": _digest(sent).hex(), "t": answered_at}
    return signing.dumps(facts, salt=_SALT)


def rates_of(session: TalkSession, turns: Sequence[Turn]) -> list[Rate | None]:
    """For each turn what its guest made of it; None of a turn that cannot be rated."""
    ids = [pk for turn in turns for pk in _stored(turn)]
    found = {one.event_id: one for one in Rating.objects.filter(session=session, event__in=ids)} if ids else {}
    return [_rate_of(turn, found) for turn in turns]


def _rate_of(turn: Turn, found: dict[int | None, Rating]) -> Rate | None:
    ids = _stored(turn)
    if not ids or turn.restarted:
        return None
    rating = next((found[pk] for pk in ids if pk in found), None)
    if rating is None:
        return Rate(f"e{ids[-1]}")
    return Rate(f"e{rating.event_id}", "up" if rating.is_up else "down", rating.comment)


def _stored(turn: Turn) -> list[int]:
    """The answers' events; none of what only Rasa's memory holds."""
    return [message.event_id for message in turn.answers if message.event_id and message.event_id > 0]


@transaction.atomic
def rate(*, session: TalkSession, link: ShareLink, key: str, value: str, comment: str = "") -> None:
    """`value` is up, down, or empty to take it back. Raises Invalid for what cannot be, Conflict for a reply or chat
    that is no more."""
    if value not in ("up", "down", ""):
        raise Invalid("A reply is rated up or down.")
    if len(comment) > LONGEST_COMMENT:
        raise Invalid(f"A comment has at most {LONGEST_COMMENT} characters.", code="too-long")
    conversation = _locked(session)
    reply = _named(key, session, conversation)
    ratings = Rating.objects.filter(session=session)
    rating = ratings.filter(Q(event=reply.event_id) if reply.event_id else Q(reply=reply.reply)).first() or reply
    if value:
        rating.link, rating.is_up, rating.comment = link, value == "up", comment.strip()
        rating.look_at = None if rating.event_id else timezone.now()
        rating.save()
    elif rating.pk:
        rating.delete()
    if conversation is not None:
        _settle(session, conversation)


def _named(key: str, session: TalkSession, conversation: Conversation | None) -> Rating:
    """A rating, not yet saved, of the reply of that name."""
    if len(key) > _LONGEST_KEY:
        raise Conflict("This reply cannot be rated any more.", code="gone")
    if key[:1] == "e" and key[1:].isdecimal():
        spoken = Event.objects.filter(conversation=conversation, pk=int(key[1:]), kind__in=("bot", "agent"))
        if conversation is None or not spoken.exists():
            raise Conflict("This reply cannot be rated any more.", code="gone")
        return Rating(session=session, event_id=int(key[1:]))
    try:
        facts = signing.loads(key, salt=_SALT, max_age=_RECEIPT_SECONDS)
    except signing.BadSignature:
        raise Conflict("This reply cannot be rated any more.", code="gone") from None
    if facts["s"] != session.pk:
        raise Conflict("This reply belongs to another chat.", code="gone")
    sent = bytes.fromhex(facts["d"])
    return Rating(session=session, reply=facts["r"], sent_digest=sent, answered_at=facts["t"])


def _locked(session: TalkSession) -> Conversation | None:
    """First the conversation, as who erases takes them. Raises Conflict for a chat that was erased."""
    found = conversation_of(session)
    conversation = Conversation.objects.select_for_update(no_key=True).filter(pk=found.pk).first() if found else None
    if not TalkSession.objects.select_for_update(no_key=True).filter(pk=session.pk).exists():
        raise Conflict("This chat is no more.", code="gone")
    return conversation


# --- Events that arrive later -----------------------------------------------------------------------------------------


def settle_waiting() -> int:
    """Tie ratings to events that have come since; returns of how many chats.

    Each is looked at ever more rarely, so that those which never find theirs hold up nobody.
    """
    due = Rating.objects.filter(event=None, look_at__lte=timezone.now()).order_by("look_at")
    ids = list(dict.fromkeys(due.values_list("session_id", flat=True)[: AT_ONCE * 5]))[:AT_ONCE]
    _look_later(Rating.objects.filter(session__in=ids, event=None))  # before: one that fails waits as the others do
    return sum(map(settle, TalkSession.objects.filter(pk__in=ids).select_related("environment")))


def _look_later(waiting: Iterable[Rating]) -> None:
    now, rows = timezone.now(), list(waiting)
    for row in rows:
        waited = now - row.at
        row.look_at = now + max(_SOON, waited / _PATIENCE) if waited < _WAITS else None
    Rating.objects.bulk_update(rows, ["look_at"])


@transaction.atomic
def settle(session: TalkSession) -> bool:
    """Tie what waits in a chat; whether there was something, and its conversation has come."""
    if not Rating.objects.filter(session=session, event=None).exists():
        return False
    try:
        conversation = _locked(session)
    except Conflict:
        return False
    if conversation is not None:
        _settle(session, conversation)
    return conversation is not None


def _settle(session: TalkSession, conversation: Conversation) -> None:
    waiting = list(Rating.objects.filter(session=session, event=None).order_by("answered_at"))
    turns = _free_turns(session, conversation) if waiting else []
    for rating in waiting:
        tied = _tie(rating, turns)
        turns = [turn for turn in turns if turn is not tied]
    _sum_up(session, conversation)


def _free_turns(session: TalkSession, conversation: Conversation) -> list[Turn]:
    """Whole ones with an answer that was not already rated as what it was when it was given."""
    tied = Rating.objects.filter(session=session, event__isnull=False).exclude(reply="")
    taken = set(tied.values_list("event_id", flat=True))
    turns = [turn for turn in turns_since(conversation, 0.0) if turn.complete and _stored(turn)]
    return [turn for turn in turns if taken.isdisjoint(_stored(turn))]


def _tie(rating: Rating, turns: Sequence[Turn]) -> Turn | None:
    """To the reply of the same message whose time is nearest; which that was. None while it has not come."""

    def apart(turn: Turn) -> float:
        return abs(turn.ends_at - (rating.answered_at or 0.0))

    said = bytes(rating.sent_digest or b"")
    same = [turn for turn in turns if apart(turn) <= _CLOCKS_APART and turn.sent and _digest(turn.sent) == said]
    if not same:
        return None
    nearest = min(same, key=apart)
    ids = _stored(nearest)
    Rating.objects.filter(session=rating.session_id, event__in=ids).delete()  # of before the guest changed their mind
    rating.event_id, rating.look_at = ids[-1], None
    rating.save(update_fields=["event", "look_at"])
    return nearest


def _sum_up(session: TalkSession, conversation: Conversation) -> None:
    """What lists are filtered by stands on the conversation itself."""
    ups, comments = Q(is_up=True), ~Q(comment="")
    counts = Rating.objects.filter(session=session).aggregate(
        rated_up=Count("pk", filter=ups),
        rated_down=Count("pk", filter=~ups),
        rated_comments=Count("pk", filter=comments),
    )
    Conversation.objects.filter(pk=conversation.pk).exclude(**counts).update(**counts)


def ratings_of(conversation: Conversation) -> tuple[dict[int, Rating], list[Rating]]:
    """For the team's page: by the event that they stand on, and those whose reply's event has not come."""
    if conversation.origin != Conversation.Origin.SHARE:
        return {}, []
    found = Rating.objects.filter(
        session__sender_id=conversation.sender_id, session__environment__assistant=conversation.assistant_id
    )
    rows = list(found.order_by("answered_at", "pk"))
    return {one.event_id: one for one in rows if one.event_id}, [one for one in rows if not one.event_id]


def _digest(sent: str) -> bytes:
    return keyed_digest("rated-message", sent)
