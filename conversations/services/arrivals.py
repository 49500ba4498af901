"""What environments' pages say of the events that come back."""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from conversations.ingest.write import sender_key
from conversations.models import Conversation, IntakeSource, IntakeStream, TalkSession
from environments.models import Environment, EnvironmentAlias
from environments.services.arrivals import Arrivals

LATELY_SECONDS = 24 * 3600
MOST_STRANGERS = 5
OVERDUE_AFTER = timedelta(seconds=10)  # as Talk has it
FORGOTTEN_AFTER = timedelta(hours=1)  # a broker that was mended since need not be talked to at once
CLOCKS_DIFFER = timedelta(seconds=30)  # Rasa's from ours, at most
_NAME = "assistant_id", "name"


def arrivals(environments: Iterable[Environment]) -> dict[int, Arrivals]:
    """Five queries, however many environments; seven when names came that nobody has."""
    rows = list(environments)
    sources = _sources(rows)
    strangers = _strangers({row.assistant_id for row in rows})
    missing = _missing(rows)
    found = {}
    for row in rows:
        last, errors = sources[row.pk]
        found[row.pk] = Arrivals(
            last_at=max(last, default=None),
            error=next(iter(errors), ""),
            strangers=tuple(strangers[row.assistant_id][:MOST_STRANGERS]),
            missing_since=missing.get(row.pk),
        )
    return found


def _sources(environments: list[Environment]) -> dict[int, tuple[list[datetime], list[str]]]:
    """When events last came for each environment, and what is wrong with the sources that bring them."""
    facts: dict[int, tuple[list[datetime], list[str]]] = defaultdict(lambda: ([], []))
    tables = IntakeSource.objects.filter(environment__in=environments, kind=IntakeSource.Kind.SQL, removed_at=None)
    for source in tables:
        if source.environment_id is not None:
            _add(facts[source.environment_id], source.last_event_at, source)
    streams = IntakeStream.objects.filter(assistant__in={one.assistant_id for one in environments})
    streams = streams.filter(source__kind=IntakeSource.Kind.KAFKA, source__removed_at=None).select_related("source")
    for stream in streams:
        for environment in environments:
            is_named = (stream.assistant_id, stream.environment_name) == (environment.assistant_id, environment.name)
            if is_named or stream.adopted_by_id == environment.pk:
                _add(facts[environment.pk], stream.last_at, stream.source)
    return facts


def _add(facts: tuple[list[datetime], list[str]], at: datetime | None, source: IntakeSource) -> None:
    last, errors = facts
    last += [at] if at else []
    errors += [source.alarm or source.last_error] if source.alarm or source.last_error else []


def _missing(environments: list[Environment]) -> dict[int, datetime]:
    """When the newest talk of each environment got an answer, if that one's events are overdue."""
    now = timezone.now()
    lately = TalkSession.objects.filter(
        environment__in=environments, last_at__gt=now - FORGOTTEN_AFTER, last_at__lt=now - OVERDUE_AFTER
    ).exclude(first_text="")
    newest = {one.environment_id: one for one in lately.order_by("last_at")}
    arrived = Conversation.objects.filter(
        assistant__in={one.assistant_id for one in environments},
        sender_key__in=[sender_key(one.sender_id) for one in newest.values()],
    )
    came = dict(arrived.values_list("sender_id", "last_event_at"))
    return {
        key: one.last_at
        for key, one in newest.items()
        if (came.get(one.sender_id) or 0.0) < (one.last_at - CLOCKS_DIFFER).timestamp()
    }


def _strangers(assistants: set[int]) -> dict[int, list[str]]:
    """Names that lately arriving conversations claimed and that no environment has or had, by assistant."""
    names: dict[int, list[str]] = defaultdict(list)
    unknown = (
        Conversation.objects.filter(
            assistant__in=assistants, environment=None, last_event_at__gt=time.time() - LATELY_SECONDS
        )
        .exclude(environment_name="")
        .values_list("assistant_id", "environment_name")
        .distinct()
    )
    claimed = set(unknown)
    if claimed:  # seldom, and only then are two more queries worth it
        claimed -= set(Environment.objects.current().filter(assistant__in=assistants).values_list(*_NAME))
        claimed -= set(EnvironmentAlias.objects.filter(assistant__in=assistants).values_list(*_NAME))
    for assistant_id, name in sorted(claimed):
        names[assistant_id].append(name)
    return names
