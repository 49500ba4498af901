"""Which conversations a completeness run compares, page by page, so that it can go on after any of them."""

import random
from hashlib import sha256
from typing import NamedTuple

from conversations.ingest.compare import Period
from conversations.ingest.rasa_memory import TrackerTable
from conversations.ingest.whose import sender_key
from conversations.models import CompletenessRun, Conversation
from conversations.querysets import ConversationQuerySet

Phase = CompletenessRun.Phase

PAGE = 20  # conversations between two writes
LISTED = 500  # ids of the server's at a time
# Where the server's conversations cannot be listed: one whose last events are among the missing has ours before that.
QUIET_SECONDS = 24 * 3600.0


class Item(NamedTuple):
    """A conversation to be compared, or (`is_asked` False) one that is passed over. `cursor` is behind it."""

    cursor: str
    sender_id: str
    is_asked: bool = True
    is_unknown: bool = False  # on the server, and nothing of it here


def period_of(run: CompletenessRun) -> Period:
    return Period(run.since, run.until)


def conversations_of(run: CompletenessRun) -> ConversationQuerySet:
    """Ours that may have events in the run's period."""
    rows = Conversation.objects.filter(environment=run.environment_id, first_event_at__lte=run.until)
    if run.since is None:
        return rows
    return rows.filter(last_event_at__gte=run.since - (0 if run.lists_senders else QUIET_SECONDS))


def begin(run: CompletenessRun, *, lists_senders: bool) -> dict[str, object]:
    """What the first slice decides for good: whether the server's are listed, how many there are, and the sample."""
    run.lists_senders = lists_senders
    if run.phase == Phase.FOUND:
        total = run.of.findings.filter(missing__gt=0).count() if run.of else 0
        return {"lists_senders": lists_senders, "conversations_total": total}
    ours = conversations_of(run)
    count = ours.count()
    if run.sample is None or count <= run.sample:
        return {"lists_senders": lists_senders, "conversations_total": count}
    plan = sorted(_some_of(ours, run.sample))
    facts = {"plan": plan, "fraction": run.sample / count, "conversations_total": len(plan)}
    return {"lists_senders": lists_senders, **facts}


def _some_of(ours: ConversationQuerySet, number: int) -> list[int]:
    """Drawn by reading the keys once, which is less than sorting the rows by chance."""
    drawn: list[int] = []
    for at, pk in enumerate(ours.order_by().values_list("pk", flat=True).iterator(chunk_size=5000)):
        if at < number:
            drawn.append(pk)
        elif (place := random.randrange(at + 1)) < number:  # noqa: S311 - a sample, no secret
            drawn[place] = pk
    return drawn


def next_items(run: CompletenessRun, table: TrackerTable | None) -> list[Item]:
    """The next page of the run's phase; empty at its end."""
    if run.phase == Phase.THEIRS:
        return _theirs(run, table) if table is not None else []
    if run.phase == Phase.FOUND:
        return _found(run)
    return _ours(run)


def next_phase(run: CompletenessRun, table: TrackerTable | None) -> Phase | None:
    return Phase.THEIRS if run.phase == Phase.OURS and table is not None else None


def _ours(run: CompletenessRun) -> list[Item]:
    last = int(run.cursor or 0)
    rows = Conversation.objects.all() if run.plan is not None else conversations_of(run)
    if run.plan is not None:
        rows = rows.filter(pk__in=run.plan)
    page = rows.filter(pk__gt=last).order_by("pk").values_list("pk", "sender_id")[:PAGE]
    return [Item(str(pk), sender_id) for pk, sender_id in page]


def _found(run: CompletenessRun) -> list[Item]:
    if run.of is None:
        return []
    page = run.of.findings.filter(missing__gt=0, pk__gt=int(run.cursor or 0)).order_by("pk")
    return [Item(str(pk), sender_id) for pk, sender_id in page.values_list("pk", "sender_id")[:PAGE]]


def _theirs(run: CompletenessRun, table: TrackerTable) -> list[Item]:
    """Those that the first phase did not compare, in a sample as many of them as of ours."""
    senders = table.senders(run.cursor, period_of(run), LISTED)
    keys = {sender_key(sender): sender for sender in senders}
    rows = Conversation.objects.filter(assistant=run.environment.assistant_id, sender_key__in=list(keys))
    known = {bytes(key) for key in rows.values_list("sender_key", flat=True)}
    covered = conversations_of(run).filter(sender_key__in=list(keys)).values_list("sender_key", flat=True)
    compared = {bytes(key) for key in covered}
    items: list[Item] = []
    for key, sender in keys.items():
        is_asked = key not in compared and _is_drawn(run, key)
        items.append(Item(sender, sender, is_asked, is_unknown=key not in known))
        if sum(item.is_asked for item in items) == PAGE:
            break
    return items


def _is_drawn(run: CompletenessRun, key: bytes) -> bool:
    """The same answer however often it is asked, so that a page may be read again."""
    number = int.from_bytes(sha256(key + str(run.pk).encode()).digest()[:8])
    return number < run.fraction * 2**64
