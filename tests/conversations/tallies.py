"""The numbers of hours as the tables say them, and the same counted anew from the events, one by one."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from django.db.models import Sum

from conversations.ingest.tally import CONFIDENCE_BOUNDS, COUNTS, KEY, REPLY_BOUNDS, UNNAMED_ACTIONS
from conversations.models import Conversation, Event, NameEntry, NameTally, Tally, TallyEntry

Numbers = dict[tuple, Counter]


def hour(at: float) -> int:
    return math.floor(at / 3600)


def kept() -> Numbers:
    """Sums and entries together, without what is nothing."""
    found: Numbers = defaultdict(Counter)
    for model in (Tally, TallyEntry):
        for row in model.objects.values(*KEY).annotate(**{f"of_{name}": Sum(name) for name in COUNTS}):
            found[tuple(row[name] for name in KEY)].update({name: row[f"of_{name}"] for name in COUNTS})
    for model in (NameTally.objects.filter(span=1), NameEntry.objects.all()):
        for row in model.values(*KEY, "kind", "name").annotate(of_count=Sum("count")):
            found[tuple(row[name] for name in KEY)].update({(row["kind"], row["name"]): row["of_count"]})
    return without_nothing(found)


def counted_anew() -> Numbers:
    found: Numbers = defaultdict(Counter)
    for conversation in Conversation.objects.filter(is_counted=True):
        for at, model_id, channel, what, amount in facts(conversation):
            place = conversation.environment_id, conversation.origin, model_id, channel
            found[conversation.assistant_id, hour(at), *place][what] += amount
    return without_nothing(found)


def without_nothing(numbers: Numbers) -> Numbers:
    some = {key: Counter({what: amount for what, amount in one.items() if amount}) for key, one in numbers.items()}
    return {key: one for key, one in some.items() if one}


def facts(conversation: Conversation) -> Iterator[tuple[float, str, str, object, int]]:
    """Time, model, channel, what is counted, and how much of it."""
    events = list(Event.objects.filter(conversation=conversation).order_by("timestamp", "rank", "digest"))
    said = [event for event in events if event.kind == "user"]
    channel = said[0].channel if said else ""
    yield events[0].timestamp, events[0].model_id, channel, "conversations", 1
    if conversation.handover_at is not None:
        yield conversation.handover_at, events[0].model_id, channel, "handovers", 1
    for event in events:
        of = event.channel if event.kind == "user" else channel
        for what, amount in of_event(event):
            yield event.timestamp, event.model_id, of, what, amount
    for one, following in pairwise(event for event in events if event.kind in ("user", "bot")):
        if (one.kind, following.kind) == ("user", "bot"):
            ms = round((following.timestamp - one.timestamp) * 1000)
            yield one.timestamp, one.model_id, one.channel, f"reply_{bisect_right(REPLY_BOUNDS, ms)}", 1
            yield one.timestamp, one.model_id, one.channel, "reply_ms", ms


def of_event(event: Event) -> Iterator[tuple[object, int]]:
    plain = {"bot": "bot_messages", "session_started": "sessions", "action_execution_rejected": "rejected"}
    if event.kind in plain:
        yield plain[event.kind], 1
    if event.kind == "action" and event.name and event.name not in UNNAMED_ACTIONS:
        yield ("action", event.name), 1
    if event.kind == "user":
        yield "user_messages", 1
        yield "fallbacks", int(event.name == "nlu_fallback")
        if event.name:
            yield ("intent", event.name), 1
        if event.confidence is not None:
            yield "confidence_sum", round(min(max(event.confidence, 0), 1) * 1_000_000)
            yield f"confidence_{bisect_right(CONFIDENCE_BOUNDS, event.confidence)}", 1
