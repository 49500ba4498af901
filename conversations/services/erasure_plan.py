"""Which conversations, and what else, an erasure run is about."""

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from conversations.limits import limited
from conversations.models import Conversation, DeadLetter, ErasurePart, ErasureRun, RetentionRule, TalkSession
from conversations.querysets import ConversationQuerySet
from conversations.services.selection import chosen_by, divide
from environments.models import Environment
from models_app.models import Assistant
from studio.errors import Invalid

PART = 500  # conversations; as many are erased in one transaction, unless they are long
SAMPLE = 8


def conversations_of(run: ErasureRun, *, by_looking: bool = False) -> ConversationQuerySet:
    """Those it is about that match at this moment, and that whoever asked may delete. Raises Invalid.

    `by_looking`: as chosen_by has it.
    """
    if run.before is not None:
        return older_than(run.assistant, run.environment, run.before)
    if run.requested_by is None:
        raise Invalid("Whoever asked for it has no account any more.")
    viewer = limited(run.requested_by, run.limit)
    return chosen_by(run.query, assistant=run.assistant, viewer=viewer, by_looking=by_looking).erasable_by(viewer)


def older_than(assistant: Assistant, environment: Environment | None, before: float) -> ConversationQuerySet:
    """Where nothing was said since, in an environment, or in all places of the assistant that have no rule of their
    own."""
    old = Conversation.objects.filter(assistant=assistant, last_event_at__lt=before)
    return old.filter(_place(assistant, environment)).order_by("last_event_at", "pk")


def letters_of(run: ErasureRun) -> QuerySet[DeadLetter]:
    """Of a rule: records as old that could not be read, whosever they are."""
    return DeadLetter.objects.filter(
        _place(run.assistant, run.environment), assistant=run.assistant, at__lt=_moment(run)
    )


def talks_of(run: ErasureRun) -> QuerySet[TalkSession]:
    """Of a rule: talks with us as old; of those that are left nothing ever came."""
    talks = TalkSession.objects.filter(environment__assistant=run.assistant, last_at__lt=_moment(run))
    return talks.filter(_place(run.assistant, run.environment))


def _place(assistant: Assistant, environment: Environment | None) -> Q:
    if environment is not None:
        return Q(environment=environment)
    ruled = RetentionRule.objects.filter(assistant=assistant).exclude(environment=None)
    ids = list(ruled.values_list("environment_id", flat=True))
    return Q(environment=None) | ~Q(environment__in=ids)


def _moment(run: ErasureRun) -> datetime:
    return datetime.fromtimestamp(run.before or 0.0, UTC)


@transaction.atomic
def count(run: ErasureRun) -> dict[str, int]:
    """Write down which conversations they are; returns what there is of them, as the run's row has it."""
    ErasurePart.objects.filter(run=run).delete()
    total = divide(conversations_of(run), ErasurePart, run.pk, size=PART)
    events = 0
    for ids in ErasurePart.objects.filter(run=run).values_list("ids", flat=True).iterator(chunk_size=20):
        events += Conversation.objects.filter(pk__in=ids).aggregate(sum=Sum("events_count"))["sum"] or 0
    letters = letters_of(run).count() if run.before is not None else 0
    return {"total": total, "events_total": events, "letters_total": letters}


def sample(run: ErasureRun) -> list[Conversation]:
    """The first that are to go, as far as they are still there."""
    first = ErasurePart.objects.filter(run=run).values_list("ids", flat=True).first() or []
    rows = Conversation.objects.filter(pk__in=first[:SAMPLE]).select_related("environment", "share_link", "talker")
    places = {pk: number for number, pk in enumerate(first[:SAMPLE])}
    return sorted(rows, key=lambda one: places[one.pk])
