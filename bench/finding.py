"""`python -m bench finding`: the list of conversations, each filter and search, both ways, among ever more of them."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bench import growth, traffic
from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from django.test import Client

    from conversations.paging import Listing
    from models_app.models import Assistant

SIZES = [int(size) for size in (os.environ.get("BENCH_CONVERSATIONS") or "10000,100000").split(",")]
AGAIN = 3  # times each; the quickest counts, because others use the machine too
Query = dict[str, Any]


def _words(ranks: list[int]) -> Iterator[Query]:
    return ({"q": traffic.word(rank)} for rank in ranks)


RANKS = [0, 10, 100, 1000, 5000, 15_000]
GROUPS: dict[str, list[Query]] = {
    "no filter": [{}, {"sort": "longest"}, {"sort": "unsure"}],
    "intent": [{"intent": intent} for intent in traffic.INTENTS[::4]],
    "one intent and not another": [{"intent": traffic.INTENTS[n], "not_intent": "intent_00"} for n in (1, 7, 20, 59)],
    "entity, slot and their values": [
        {"entity": "city"},
        *({name: f"city={traffic.word(rank)}"} for name in ("entity", "slot") for rank in (0, 10, 100, 1500)),
    ],
    "action, policy, channel": [
        {"action": "action_look_up"},
        {"policy": "policy_0_MemoizationPolicy"},
        {"channel": "telegram"},
        {"action": "utter_intent_59"},
    ],
    "confidence, length, hand-over": [
        *({"below": below} for below in (0.2, 0.4, 0.6, 0.9)),
        *({"at_least": length} for length in (5, 20, 50)),
        {"handover": 1},
        {"rejected": 1},
        {"fallback": 1},
        {"origin": "talk"},
        {"environment": "production"},
    ],
    "time of day": [{"begun_from": "03:00", "begun_until": "05:00"}, {"begun_from": "22:00", "begun_until": "06:00"}],
    "a word": [*_words(RANKS)],
    "a part of a word": [{"q": traffic.word(rank)[1:]} for rank in (300, 3000, 5000, 15_000)],
    "words, and a phrase": [
        {"q": f"{traffic.word(0)} {traffic.word(1000)}"},
        {"q": f'"{traffic.word(0)} {traffic.word(1)}"'},
        {"q": f'"{traffic.word(3)} {traffic.word(200)}"'},
    ],
    "sorted otherwise": [
        {"sort": "longest", "intent": "intent_30"},
        {"sort": "unsure", "intent": "intent_59"},
        {"sort": "longest", "q": traffic.word(1000)},
    ],
}


@dataclass
class Times:
    """Milliseconds of pages, of their SQL alone, and of the same SQL by hand."""

    pages: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    by_hand: list[float] = field(default_factory=list)


def run() -> list[Row]:
    with services():
        from django.core.management import call_command

        from tests.factories import make_person

        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        viewer = make_person("admin")
        houses = [growth.house(f"with-{size}", size) for size in SIZES]
        return [row for name, queries in GROUPS.items() for row in _rows(name, queries, houses, viewer)]


def _rows(name: str, queries: list[Query], houses: list["Assistant"], viewer: Any) -> Iterator[Row]:
    measured = {size: _measure(queries, house, viewer) for size, house in zip(SIZES, houses, strict=True)}
    first = _p95(measured[SIZES[0]].pages)
    for size, times in measured.items():
        hand = _p95(times.ours) / max(_p95(times.by_hand), 0.1)
        growth_of = _p95(times.pages) / first
        is_last = size == SIZES[-1]
        yield Row(
            f"{name}: {size:,}",
            f"page p95 {_p95(times.pages):.0f} ms, SQL {_p95(times.ours):.1f} ms",
            f"by hand {_p95(times.by_hand):.1f} ms; {SIZES[0]:,}: {first:.0f} ms",
            f"{hand:.1f} x, {growth_of:.2f} x",
            "2 x, 1.3 x" if is_last else "",
            (hand <= 2 and growth_of <= 1.3) if is_last else None,
        )


def _measure(queries: list[Query], house: "Assistant", viewer: Any) -> Times:
    from django.test import Client

    client, times = Client(SERVER_NAME="localhost"), Times()
    client.force_login(viewer)
    for query in queries:
        listed = _listing(query, house, viewer)
        first = listed.after(None, 51)
        places: list[Callable[[], object]] = [lambda listed=listed: listed.after(None, 51)]  # type: ignore[misc]
        addresses = [dict(query)]
        if first:
            cursor = listed.order.cursor(first[-1])
            places += [lambda: listed.after(cursor, 51), lambda: listed.before(cursor, 51)]  # noqa: B023
            addresses += [query | {"after": str(cursor)}, query | {"before": str(cursor)}]
        times.ours += [_quickest(place) for place in places]
        times.pages += [_quickest(lambda address=address: _page(client, house, address)) for address in addresses]  # type: ignore[misc]
        times.by_hand.append(_by_hand(query, house, viewer))
    return times


def _listing(query: Query, house: "Assistant", viewer: Any) -> "Listing":
    from django.http import QueryDict

    from conversations.filters import ConversationFilter

    return ConversationFilter(QueryDict(urlencode(query)), assistant=house, viewer=viewer).listing()


def _page(client: "Client", house: "Assistant", query: Query) -> None:
    answer = client.get(f"/a/{house.slug}/conversations/?{urlencode(query)}")
    assert answer.status_code == 200, answer.status_code


# What somebody who knows the data would write: each of the ways there are, with the others forbidden to the planner.
_WAYS = ("", "SET LOCAL enable_indexscan = off", "SET LOCAL enable_bitmapscan = off", "SET LOCAL enable_hashjoin = off")


def _by_hand(query: Query, house: "Assistant", viewer: Any) -> float:
    """Milliseconds of the quickest single statement for the first page."""
    from django.db import OperationalError, connection, transaction

    listed = _listing(query, house, viewer)
    best = 10_000.0
    for conversations in (listed.matching, listed.looked_at):
        first = conversations.order_by(*listed.order.steps(onwards=True))[:51]
        for way in _WAYS:
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = {int(best) + 1}; {way}")
                    best = min(best, _quickest(lambda: list(first.all())))  # noqa: B023
            except OperationalError:  # slower than the best so far
                continue
    return best


def _quickest(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(AGAIN):
        began = time.perf_counter()
        work()
        best = min(best, (time.perf_counter() - began) * 1000)
    return best


def _p95(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
