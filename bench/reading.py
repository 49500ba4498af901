"""`python -m bench reading`: the page of a conversation of 20 and of 5,000 events, and what leads to the next one.

Requests go through the whole of Django in this process, without a network: what is measured is the server's time.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.ground import services
from bench.rows import Row
from bench.traffic import conversation, events, session

if TYPE_CHECKING:
    from django.test import Client

    from conversations.models import Conversation

STORED = 200_000  # events of others, so that neighbours have to be found among many
BATCH = 5000
ROUNDS = 40
SHORT, LONG = 20, 5000
AIMS = {SHORT: 50, LONG: 200}  # ms


def run() -> list[Row]:
    with services():
        client = _fill()
        return [*_pages(client), *_steps(client)]


def _fill() -> "Client":
    import random

    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from tests.factories import environment_of, make_assistant, make_person

    environment = environment_of(make_assistant("default"))
    records = events(STORED)
    while batch := list(itertools.islice(records, BATCH)):
        _store(environment, batch)
    chance = random.Random(2)
    for length in (SHORT, LONG):
        _store(environment, _exactly(length, chance))
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person("admin"))
    return client


def _exactly(length: int, chance: Any) -> list[bytes]:
    """One conversation of `length` events with what real ones hold, in the middle of all others."""
    import json

    at = 1_790_000_000.0 + STORED / 40
    made: list[bytes] = []
    about = next(conversation(chance, at)) | {"sender_id": f"of-{length}"}
    about = {key: about[key] for key in ("sender_id", "metadata")}
    while len(made) < length:
        for kind, fields in session(chance, "rest"):
            at += 3.0 if kind == "user" else 0.05
            made.append(json.dumps(about | {"event": kind, "timestamp": round(at, 7)} | fields).encode())
    return made[:length]


def _store(environment: Any, records: list[bytes]) -> None:
    from tests.factories import store_events

    store_events(environment, *records)


def _pages(client: "Client") -> list[Row]:
    from conversations.models import Conversation

    pages = {length: Conversation.objects.get(sender_id=f"of-{length}") for length in (SHORT, LONG)}
    assert {length: one.events_count for length, one in pages.items()} == {length: length for length in pages}
    times = taken({length: partial(_open, client, one) for length, one in pages.items()})
    rows = []
    for length, aim in AIMS.items():
        found, worst = statistics.median(times[length]), _p95(times[length])
        what = f"page of a conversation of {length:,} events"
        rows.append(Row(what, f"{found:.0f} ms", "", f"p95 {worst:.0f} ms", f"{aim} ms", found <= aim))
    return rows


def _steps(client: "Client") -> list[Row]:
    """What the page needs for its neighbours alone, without a filter and with one."""
    from conversations.models import Conversation

    one = Conversation.objects.get(sender_id=f"of-{SHORT}")
    queries = {"": "among all", "?environment=production": "in one environment"}
    times = taken({query: partial(_neighbours, client, one, query) for query in queries})
    return [
        Row(
            f"next and previous {words}",
            f"{statistics.median(times[query]):.1f} ms",
            "",
            f"p95 {_p95(times[query]):.1f} ms",
        )
        for query, words in queries.items()
    ]


def _open(client: "Client", one: "Conversation") -> None:
    response = client.get(f"/a/default/conversations/{one.pk}")
    assert response.status_code == 200


def _neighbours(client: "Client", one: "Conversation", query: str) -> None:
    from django.test import RequestFactory

    from conversations.views.neighbours import list_of, neighbours
    from studio.access.models import User

    request = RequestFactory().get(f"/a/default/conversations/{one.pk}{query}")
    request.user = User.objects.get(pk=client.session["_auth_user_id"])
    assert neighbours(list_of(request, one), one).next is not None


def taken(steps: dict[Any, Callable[[], None]]) -> dict[Any, list[float]]:
    """ms of each, in turn, so that whatever else the machine does meets all of them; the first two rounds warm up."""
    found: dict[Any, list[float]] = {key: [] for key in steps}
    for number in range(ROUNDS + 2):
        for key, step in steps.items():
            began = time.perf_counter()
            step()
            if number >= 2:
                found[key].append((time.perf_counter() - began) * 1e3)
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]
