"""What a scrape costs: a fixed number of queries, each by an index where a table is big."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics import readings
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
BIG = {"conversations_deadletter", "models_app_trainingjob", "environments_slot", "models_app_traininglog"}
NEVER = {"conversations_event", "conversations_conversation", "conversations_talksession"}


def tables(plan: dict, node: str = "") -> set[str]:
    """Those that are read, or read by nodes of that type."""
    here = {plan["Relation Name"]} if "Relation Name" in plan and node in plan["Node Type"] else set()
    return here.union(*(tables(part, node) for part in plan.get("Plans", [])))


def plan_of(statement: str) -> dict:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        (found,) = cursor.fetchone()
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def fill(assistants: int) -> None:
    for number in range(assistants):
        environment = environment_of(make_assistant())
        store_events(environment, *small_talk(sender=f"anna-{number}"), b"{", b"[]")


def asked(redis_client) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        readings._read_all()
    return [one["sql"] for one in captured if "SELECT" in one["sql"]]


def test_no_query_reads_a_big_table_from_end_to_end(redis_client) -> None:
    fill(3)
    statements = asked(redis_client)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # then what is still scanned has no index
    plans = [plan_of(one) for one in statements]
    read = set().union(*map(tables, plans))
    assert {"conversations_deadletter", "models_app_trainingjob", "environments_slot"} <= read
    assert read & NEVER == set()
    assert set().union(*(tables(plan, "Seq Scan") for plan in plans)) & BIG == set()


def test_more_assistants_are_not_more_queries(redis_client) -> None:
    fill(1)
    few = len(asked(redis_client))
    fill(4)
    assert len(asked(redis_client)) == few <= 30
