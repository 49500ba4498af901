"""Every page asks the database for what it shows in a few queries, however many rows it shows.

Each is opened by the admin, to whom most is shown, in a world where every list is full: what is asked once for each row
goes beyond the budget there.
"""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Conversation, TalkSession
from conversations.paging import NEWEST
from environments.models import Environment, ManagedServer
from models_app.models import Assistant
from models_app.vocabulary import vocabulary_of
from tests.house import crowd
from tests.house.asking import answer, browser
from tests.house.permission_matrix import ROWS, Row
from tests.house.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.addresses]
BUDGET = 14
NO_QUESTION = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", "SET LOCAL", "RESET")


@pytest.fixture(scope="module")
def crowded(world: World) -> World:
    crowd.bring(world)
    browser(world, "admin").get("/a/cafe/")  # the session writes down which assistant was looked at last, once
    vocabulary_of(Assistant.objects.get(slug="cafe"))  # read once of each revision, as it never changes
    return world


def _pages() -> list[Row]:
    return [row for row in ROWS if row.method == "GET" and not row.path.startswith("/api/")]


# Pages as they are come to: sorted, narrowed, searched, and back in the middle of a list. Among thousands of conversations
# what is rare is asked for up to four times more each way, farther out each time (conversations/paging.py).
COME_TO = [
    "/a/cafe/conversations/?sort=longest",
    "/a/cafe/conversations/{conversation}?m={event}",
    "/a/cafe/inbox/?m={event}",
    "/a/cafe/inbox/?environment=production&below=0.6&days=90&m={event}",
    "/a/cafe/analytics/?environment=production&model=crowd-1",
    "/settings/audit/?q=crowd",
    "/settings/people/?q=crowd",
    "/a/cafe/models/?name=crowd",
    "/a/cafe/data/find?q=greet",
    "/a/cafe/conversations/?around={cursor}",
    "/a/cafe/conversations/{conversation}?q=hello",
    "/a/cafe/conversations/?q=hello",
    "/a/cafe/conversations/?q=hello&around={cursor}",
    '/a/cafe/conversations/?q=hello+lately+"perhaps+1"&environment=production&model=crowd-1&sort=unsure&around={cursor}',
    "/a/cafe/conversations/{conversation}?q=again",  # what is found can be corrected beside it
    "/a/cafe/conversations/{conversation}?q=again&sort=longest&m={event}",
    "/a/cafe/conversations/{conversation}?q=again&environment=production",
]


@pytest.mark.parametrize("header", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
@pytest.mark.parametrize("row", _pages(), ids=lambda row: row.path)
def test_a_page_keeps_within_its_budget(row: Row, header: dict[str, str], crowded: World, redis_client: object) -> None:
    """Also as what htmx asks for, which may be a part of it."""
    status = asks_little(crowded, row.path, header)
    assert status == row.admin or (header and status < 400)


@pytest.mark.parametrize("path", COME_TO)
def test_a_page_that_is_come_to_keeps_within_it_as_well(path: str, crowded: World, redis_client: object) -> None:
    crowded.words["cursor"] = str(NEWEST.cursor(Conversation.objects.order_by("-last_event_at")[1]))
    assert asks_little(crowded, path) == 200


def test_an_environment_in_trouble_keeps_within_it_as_well(crowded: World, redis_client: object) -> None:
    """Its server is silent, and of its last promotions, more than the page lists, none ever ran.

    An answer of Talk whose events are overdue besides would take one query more.
    """
    TalkSession.objects.update(answered_at=None)
    production = Environment.objects.get(assistant__slug="cafe", name="production")
    last = production.promotions.latest("generation")
    for _ in range(14):
        last.pk, last.number, last.generation = None, last.number + 1, last.generation + 1
        last.save(force_insert=True)
    Environment.objects.filter(pk=production.pk).update(kind=Environment.Kind.MANAGED)
    silent = {"state": ManagedServer.State.RUNNING, "heartbeat_at": timezone.now() - timedelta(hours=1)}
    ManagedServer.objects.update_or_create(environment=production, defaults=silent)
    assert asks_little(crowded, "/a/cafe/environments/production") == 200


def asks_little(world: World, path: str, headers: dict[str, str] | None = None) -> int:
    """The status of what is answered."""
    with CaptureQueriesContext(connection) as seen:
        given = answer(world, "admin", "GET", path.format_map(world.words), headers=headers)
    asked = [one["sql"] for one in seen.captured_queries if not one["sql"].startswith(NO_QUESTION)]
    assert len(asked) <= BUDGET, f"{path} makes {len(asked)} queries:\n" + "\n".join(asked)
    return given.status
