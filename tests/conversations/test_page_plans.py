"""Every query of a conversation's page has an index to go by: at 20 million events another would take minutes."""

import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations import window
from conversations.ingest.write import Stored
from conversations.models import Conversation
from conversations.services.marks import Target, set_flag
from tests.clients import client_of
from tests.conversations.events import bot, slot, user
from tests.factories import make_person

pytestmark = pytest.mark.django_db
BIG = ("conversations_conversation", "conversations_event", "conversations_mark", "conversations_readmark")


def scanned(plan: dict) -> list[str]:
    """Tables that are read from end to end."""
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [table for part in plan.get("Plans", []) for table in scanned(part)]


@pytest.mark.parametrize("query", ["", "?at={old}&m={old}", "?events=all"])
def test_no_query_reads_a_big_table_from_end_to_end(
    stored: Callable[..., Stored], monkeypatch: pytest.MonkeyPatch, query: str
):
    monkeypatch.setattr(window, "SHOWN", 10)
    monkeypatch.setattr(window, "AROUND", 5)
    stored(*(one for n in range(20) for one in (user(f"m{n}.", float(n)), slot("n", n, n + 0.1), bot("y", n + 0.2))))
    one = Conversation.objects.get()
    annotator = make_person("annotator")
    old = one.events.get(text="m7.")
    set_flag(actor=annotator, target=Target(one, old))
    client = client_of(annotator)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(reverse("conversations:detail", args=[one.assistant.slug, one.pk]) + query.format(old=old.pk))
    assert page.status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # then what is still scanned has no index
        for one_query in asked:
            if one_query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {one_query['sql']}")
                (found,) = cursor.fetchone()
                plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
                assert not {*scanned(plan)} & {*BIG}, one_query["sql"]
