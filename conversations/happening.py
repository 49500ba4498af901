"""What happened in conversations within a stretch of time: the events that the analytics page counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Q, QuerySet, Subquery, TextChoices
from django.db.models.lookups import IsNull

from conversations.models import Event
from conversations.presentation.items import FALLBACK_INTENT, UNSURE_BELOW
from conversations.querysets import ConversationQuerySet


class Happening(TextChoices):
    BEGAN = "began", "it began"
    SAID = "said", "the person wrote"
    ANSWERED = "answered", "the person wrote and was answered"
    REPLIED = "replied", "the assistant wrote"
    ACTED = "acted", "an action ran"
    SESSION = "session", "a session began"
    FALLBACK = "fallback", "a message was not understood"
    UNSURE = "unsure", f"NLU was below {UNSURE_BELOW}"
    REJECTED = "rejected", "an action was rejected"
    HANDED_OVER = "handed_over", "it was handed over"


# Which events it is, and what can be said of their conversation without a look at them.
_KINDS = {
    "": (Q(), Q()),
    Happening.SAID: (Q(kind="user"), Q(user_count__gt=0)),
    Happening.ANSWERED: (Q(kind="user"), Q(reply_count__gt=0)),
    Happening.REPLIED: (Q(kind="bot"), Q(bot_count__gt=0)),
    Happening.ACTED: (Q(kind="action"), Q()),
    Happening.SESSION: (Q(kind="session_started"), Q(session_count__gt=0)),
    Happening.FALLBACK: (Q(kind="user", name=FALLBACK_INTENT), Q(fallback_count__gt=0)),
    Happening.UNSURE: (Q(kind="user", confidence__lt=UNSURE_BELOW), Q(min_confidence__lt=UNSURE_BELOW)),
    Happening.REJECTED: (Q(kind="action_execution_rejected"), Q(rejected_count__gt=0)),
}
# What conversations keep themselves.
_MOMENTS = {Happening.BEGAN: "first_event_at", Happening.HANDED_OVER: "handover_at"}


@dataclass(frozen=True, slots=True)
class Happened:
    """`what` (empty for anything) from one moment on and before another, in seconds since 1970.

    Where a channel, models, an intent or an action are given, it is the event itself that has them; the assistant's
    events have the channel that their conversation began with, as they do where they are counted.
    """

    what: str
    since: float | None
    until: float | None
    channel: str = ""
    model_ids: Sequence[str] | None = None
    intent: str = ""
    action: str = ""

    def narrow(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """Those in which it happened."""
        if self.since is not None:  # these two for the indexes
            conversations = conversations.filter(last_event_at__gte=self.since)
        if self.until is not None:
            conversations = conversations.filter(first_event_at__lt=self.until)
        if self.what in _MOMENTS:
            return conversations.filter(self._of_conversations(_MOMENTS[Happening(self.what)]))
        events, known = _KINDS[self.what]
        if self.channel and self.what and not _is_of_person(self.what):
            known &= Q(first_channel=self.channel)
        # No EXISTS, which the planner may answer by a look at all events there are.
        found = Subquery(self._events(events).order_by().values("pk")[:1])
        return conversations.filter(known, IsNull(found, False))

    def _of_conversations(self, column: str) -> Q:
        condition = self._between(column) & Q(**{f"{column}__isnull": False})
        if self.channel:
            condition &= Q(first_channel=self.channel)
        return condition if self.model_ids is None else condition & Q(first_model_id__in=self.model_ids)

    def _events(self, condition: Q) -> QuerySet[Event]:
        found = Event.objects.filter(condition, self._between("timestamp"), conversation=OuterRef("pk"))
        if self.channel and _is_of_person(self.what):
            found = found.filter(channel=self.channel)
        if self.model_ids is not None:
            found = found.filter(model_id__in=self.model_ids)
        if self._name:
            found = found.filter(name=self._name)
        return found.alias(next=_next_speaker()).filter(next="bot") if self.what == Happening.ANSWERED else found

    @property
    def _name(self) -> str:
        """Of the event. That a message was not understood is an intent of its own."""
        if self.what == Happening.ACTED:
            return self.action
        return self.intent if _is_of_person(self.what) and self.what != Happening.FALLBACK else ""

    def _between(self, column: str) -> Q:
        condition = Q()
        if self.since is not None:
            condition &= Q(**{f"{column}__gte": self.since})
        if self.until is not None:
            condition &= Q(**{f"{column}__lt": self.until})
        return condition


def _is_of_person(what: str) -> bool:
    return what in (Happening.SAID, Happening.ANSWERED, Happening.FALLBACK, Happening.UNSURE)


def _next_speaker() -> Subquery:
    """Of an event, the kind of the message that follows it."""
    same_time = Q(timestamp=OuterRef("timestamp"))
    later = Q(timestamp__gt=OuterRef("timestamp"))
    later |= same_time & Q(rank__gt=OuterRef("rank"))
    later |= same_time & Q(rank=OuterRef("rank"), digest__gt=OuterRef("digest"))
    said = Event.objects.filter(later, kind__in=("user", "bot"), conversation=OuterRef("conversation"))
    said = said.filter(timestamp__gte=OuterRef("timestamp"))  # lets PostgreSQL begin in the index
    return Subquery(said.order_by("timestamp", "rank", "digest").values("kind")[:1])
