"""Erasing and ingestion at the same moment, on two connections: of each conversation one of the two is first."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models import Count, F

from conversations.ingest import senders as whose
from conversations.ingest.write import Stored, again_when_interrupted
from conversations.models import Conversation, Event, Tombstone
from conversations.services.erasing import erase
from conversations.services.rebuild import rebuild_conversations
from environments.models import Environment
from tests.conversations.events import small_talk, user
from tests.factories import environment_of, make_assistant, source_of, store_events

pytestmark = pytest.mark.django_db(transaction=True)
START, LONG_AFTER = 1_700_000_000.0, 4_000_000_000.0
WAIT = 20.0


@pytest.fixture
def environment() -> Environment:
    production = environment_of(make_assistant())
    source_of(production.assistant)
    return production


def everything() -> list[int]:
    return list(Conversation.objects.values_list("pk", flat=True))


@transaction.atomic
def erase_all() -> None:
    erase(everything(), Conversation.objects.all())


def on_its_own_connection(pool: ThreadPoolExecutor, work: Callable[[], object]) -> "Future[object]":
    def run() -> object:
        try:
            return again_when_interrupted(work)
        finally:
            connection.close()

    return pool.submit(run)


def wait_until_somebody_waits() -> None:
    """For a lock of ours."""
    for _ in range(int(WAIT / 0.02)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.02)
    raise AssertionError("nobody waits for a lock")


def test_who_erases_takes_along_what_a_batch_under_way_stores(environment: Environment):
    store_events(environment, user("first", START))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            store_events(environment, user("second", START + 1))
            erasing = on_its_own_connection(pool, erase_all)
            wait_until_somebody_waits()
        erasing.result(WAIT)
    assert not Conversation.objects.exists() and not Event.objects.exists()


@pytest.mark.parametrize("newer", [False, True])
def test_a_batch_that_waited_for_who_erases_is_refused_but_for_what_is_newer(environment: Environment, newer: bool):
    store_events(environment, *small_talk(START))
    again = [*small_talk(START), *([user("back", LONG_AFTER)] if newer else [])]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            erase_all()
            storing = on_its_own_connection(pool, lambda: store_events(environment, *again))
            wait_until_somebody_waits()
        assert storing.result(WAIT) == Stored(added=int(newer), erased=8)
    assert Event.objects.count() == Conversation.objects.count() == int(newer)


def test_a_conversation_erased_between_being_found_and_being_locked(environment: Environment, monkeypatch):
    """The rows are there when those that are missing are added, and gone when they are locked."""
    store_events(environment, user("hi", START, sender="anna"), user("hi", LONG_AFTER, sender="berta"))
    real, calls = whose.statements.LOCK_CONVERSATIONS, []

    class Statements:
        def __getattr__(self, name: str) -> str:
            if name == "LOCK_CONVERSATIONS" and not calls:
                calls.append(1)
                with ThreadPoolExecutor(1) as pool:
                    on_its_own_connection(pool, erase_all).result(WAIT)
            return real if name == "LOCK_CONVERSATIONS" else getattr(ORIGINAL, name)

    ORIGINAL = whose.statements
    monkeypatch.setattr(whose, "statements", Statements())
    fresh = user("later", LONG_AFTER + 1, sender="anna")
    got = store_events(environment, user("hi", START, sender="anna"), fresh, user("hi", LONG_AFTER, sender="berta"))
    assert got == Stored(added=1, erased=2)
    assert Conversation.objects.get().first_text == "later"


def test_nothing_half_survives_whoever_is_first(environment: Environment):
    """Four that send the same again and again, two that erase: at the end each conversation is whole or gone."""
    senders = [f"s{number}" for number in range(12)]
    stop = threading.Event()

    def send(seed: int) -> None:
        chance = random.Random(seed)
        for turn in range(25):
            chosen = chance.sample(senders, 6)
            events = [one for name in chosen for one in small_talk(START, name)]
            events += [user("later", LONG_AFTER + turn, sender=name) for name in chosen[:2]]
            chance.shuffle(events)
            again_when_interrupted(partial(store_events, environment, *events))

    def keep_erasing(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            found = everything()
            if found:
                again_when_interrupted(partial(_erase, chance.sample(found, min(5, len(found)))))

    with ThreadPoolExecutor(6) as pool:
        erasing = [on_its_own_connection(pool, partial(keep_erasing, n)) for n in range(2)]
        sending = [on_its_own_connection(pool, partial(send, n)) for n in range(4)]
        wait(sending, timeout=60)
        stop.set()
        for one in sending:
            one.result(WAIT)
        for one in erasing:
            one.result(WAIT)
    assert Tombstone.objects.exists()
    whole = Conversation.objects.annotate(stored=Count("events")).exclude(stored=F("events_count"))
    assert not whole.exists() and not Conversation.objects.filter(events_count=0).exists()
    assert not Event.objects.exclude(conversation__in=Conversation.objects.all()).exists()
    until = {bytes(one.sender_key): one.up_to for one in Tombstone.objects.all()}
    for event in Event.objects.select_related("conversation"):
        assert event.timestamp > until.get(bytes(event.conversation.sender_key), 0.0)
    assert all(not step.differences for step in rebuild_conversations(check=True))


@transaction.atomic
def _erase(ids: list[int]) -> None:
    erase(ids, Conversation.objects.all())
