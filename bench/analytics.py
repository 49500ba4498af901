"""`python -m bench analytics`: the numbers of the analytics page, against one aggregate over the same events."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from bench import growth
from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from conversations.analytics.numbers import Numbers
    from conversations.analytics.period import Period
    from models_app.models import Assistant

Result = TypeVar("Result")

CONVERSATIONS = int((os.environ.get("BENCH_CONVERSATIONS") or "100000").split(",")[-1])
DAYS = 90
ROUNDS = 9
AIM = 20
SERVER_AIM = 50  # ms


def run() -> list[Row]:
    with services():
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        return _compare(growth.house("bench", CONVERSATIONS, every=DAYS * 86_400 / CONVERSATIONS))


# What somebody would write who wants the same of the events themselves: days by UTC, who said how much, what NLU made
# of it, and how long replies took; in one pass over the events of the assistant's conversations.
_BY_HAND = """
WITH event AS (
    SELECT floor("timestamp" / 86400)::integer AS day, kind, name, confidence,
           CASE kind WHEN 'user' THEN lead(kind) OVER following END AS next_kind,
           round((lead("timestamp") OVER following - "timestamp") * 1000)::bigint AS ms
    FROM (
        SELECT event.* FROM conversations_event AS event
        JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
        WHERE conversation.assistant_id = %(assistant)s AND kind IN ('user', 'bot')
    ) AS said WINDOW following AS (PARTITION BY conversation_id ORDER BY "timestamp", rank, digest)
)
SELECT day, count(*) FILTER (WHERE kind = 'user'), count(*) FILTER (WHERE kind = 'bot'),
       count(*) FILTER (WHERE kind = 'user' AND name = 'nlu_fallback'),
       coalesce(sum(round(confidence * 1000000)::bigint) FILTER (WHERE kind = 'user'), 0),
       count(*) FILTER (WHERE kind = 'user' AND confidence < 0.6),
       count(*) FILTER (WHERE next_kind = 'bot'), coalesce(sum(ms) FILTER (WHERE next_kind = 'bot'), 0)
FROM event WHERE day BETWEEN %(first)s AND %(last)s GROUP BY day ORDER BY day
"""
# The least of it: without replies, nothing has to be brought into order.
_COUNTED_BY_HAND = """
SELECT floor("timestamp" / 86400)::integer AS day, count(*) FILTER (WHERE kind = 'user'),
       count(*) FILTER (WHERE kind = 'session_started'), count(*) FILTER (WHERE name = 'nlu_fallback')
FROM conversations_event AS event
JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
WHERE conversation.assistant_id = %(assistant)s AND kind IN ('user', 'session_started')
    AND "timestamp" >= %(first)s * 86400.0 AND "timestamp" < (%(last)s + 1) * 86400.0
GROUP BY day ORDER BY day
"""
_NAMED_BY_HAND = """
SELECT CASE kind WHEN 'user' THEN 'intent' ELSE 'action' END, name, count(*)
FROM conversations_event AS event
JOIN conversations_conversation AS conversation ON conversation.id = event.conversation_id
WHERE conversation.assistant_id = %(assistant)s AND name <> ''
    AND (kind = 'user' OR kind = 'action' AND name NOT IN ('action_listen', 'action_session_start'))
    AND "timestamp" >= %(first)s * 86400.0 AND "timestamp" < (%(last)s + 1) * 86400.0
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""


def _compare(assistant: "Assistant") -> list[Row]:
    from conversations.analytics import numbers

    narrowed, period = numbers.Narrowed(assistant.pk), _period(assistant)
    days = {"assistant": assistant.pk, "first": period.begin // 24, "last": period.end // 24 - 1}
    hand, by_hand = _timed(lambda: _ask(_BY_HAND, days), rounds=1)
    least, counted = _timed(lambda: _ask(_COUNTED_BY_HAND, days), rounds=1)
    named, names_by_hand = _timed(lambda: _ask(_NAMED_BY_HAND, days), rounds=1)
    ours, series = _timed(lambda: numbers.series(narrowed, period, "model"))
    ours_named, names = _timed(lambda: numbers.names(narrowed, period, 1000))
    _hold("numbers", by_hand, _by_day(period, series.points, _as_by_hand))
    _hold("counts", counted, _by_day(period, series.points, _as_counted))
    _hold("names", sorted(names_by_hand), sorted((one.kind, one.name, one.count) for one in names))
    where = f"{assistant.conversations.count():,} conversations"
    return [
        _row(f"numbers of {DAYS} days, {where}", ours, "one aggregate with replies", hand),
        _row("the same", ours, "one aggregate of counts alone", least),
        _row("intents and actions of them", ours_named, "one aggregate", named),
        _page(assistant, period),
        _page(assistant, period, channel="rest"),
    ]


def _as_by_hand(one: "Numbers") -> tuple[int, ...]:
    said = one["user_messages"], one["bot_messages"], one["fallbacks"], one["confidence_sum"]
    return *said, sum(one.confidences[:6]), sum(one.replies), one["reply_ms"]


def _as_counted(one: "Numbers") -> tuple[int, ...]:
    return one["user_messages"], one["sessions"], one["fallbacks"]


def _period(assistant: "Assistant") -> "Period":
    from conversations.analytics.period import days

    newest = _ask("SELECT max(last_event_at) FROM conversations_conversation", {})[0][0]
    last = datetime.fromtimestamp(newest, UTC).date()
    return days(last - timedelta(days=DAYS), last, now=datetime.now(UTC), zone=ZoneInfo("UTC"))


def _by_day(
    period: "Period", points: "Sequence[Numbers]", say: "Callable[[Numbers], tuple[int, ...]]"
) -> list[tuple[int, ...]]:
    days = zip(period.points, points, strict=True)
    return [(point.begin // 24, *say(one)) for point, one in days if any(say(one))]


def _hold(what: str, by_hand: Sequence[tuple[Any, ...]], ours: Sequence[tuple[Any, ...]]) -> None:
    """Exact, or nothing else matters."""
    if [tuple(map(_plain, row)) for row in by_hand] != [tuple(map(_plain, row)) for row in ours]:
        raise RuntimeError(f"the {what} of the page are not those of the events")


def _plain(value: object) -> object:
    return value if isinstance(value, str) else int(value)  # type: ignore[call-overload]


def _ask(query: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def _timed(work: Callable[[], Result], *, rounds: int = ROUNDS) -> tuple[float, Result]:
    """The median, in seconds, once everything has been read before, and what came of it."""
    found = work()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times), found


def _row(what: str, ours: float, against: str, theirs: float) -> Row:
    ratio = theirs / ours
    compared = f"{against} {theirs * 1000:,.0f} ms"
    return Row(what, f"{ours * 1000:.1f} ms", compared, f"{ratio:.0f} x quicker", f"{AIM} x", ratio >= AIM)


def _page(assistant: "Assistant", period: "Period", **narrowed: str) -> Row:
    """The whole answer of the web, without the network."""
    from django.test import Client

    from studio.access.models import Role, User
    from studio.access.permissions import EVERYWHERE
    from studio.access.services.grants import grant
    from studio.access.services.people import create_person
    from studio.access.services.roles import ensure_default_roles

    ensure_default_roles()
    person = User.objects.filter(username="bench").first() or create_person(actor=None, username="bench", password=None)
    grant(actor=None, person=person, role=Role.objects.get(name="admin"), scope=EVERYWHERE)
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    first, last = period.points[0].first_day, period.points[-1].last_day
    query = {"range": "own", "since": first.isoformat(), "until": last.isoformat(), **narrowed}
    seconds, response = _timed(lambda: client.get(f"/a/{assistant.slug}/analytics/", query))
    if response.status_code != 200:
        raise RuntimeError(f"the page answered {response.status_code}")
    what = "the page, from request to answer" + (f", of {' and '.join(narrowed.values())}" if narrowed else "")
    return Row(what, f"{seconds * 1000:.0f} ms", aim=f"{SERVER_AIM} ms", holds=seconds * 1000 <= SERVER_AIM)
