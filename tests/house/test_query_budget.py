"""Every page asks the database for what it shows in a few queries, however many rows it shows.

Each is opened by the admin, to whom most is shown, in a world where every list is full: what is asked once for each row
goes beyond the budget there.
"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from models_app.models import Assistant
from models_app.vocabulary import vocabulary_of
from tests.house import crowd
from tests.house.asking import answer, browser
from tests.house.permission_matrix import ROWS, Row
from tests.house.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.addresses]
BUDGET = 14
NO_QUESTION = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")  # of the tests' own transactions


@pytest.fixture(scope="module")
def crowded(world: World) -> World:
    crowd.bring(world)
    browser(world, "admin").get("/a/cafe/")  # the session writes down which assistant was looked at last, once
    vocabulary_of(Assistant.objects.get(slug="cafe"))  # read once of each revision, as it never changes
    return world


def _pages() -> list[Row]:
    return [row for row in ROWS if row.method == "GET" and not row.path.startswith("/api/")]


@pytest.mark.parametrize("header", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
@pytest.mark.parametrize("row", _pages(), ids=lambda row: row.path)
def test_a_page_keeps_within_its_budget(row: Row, header: dict[str, str], crowded: World, redis_client: object) -> None:
    """Also as what htmx asks for, which may be a part of it."""
    with CaptureQueriesContext(connection) as seen:
        given = answer(crowded, "admin", "GET", row.path.format_map(crowded.words), headers=header)
    assert given.status == row.admin or (header and given.status < 400)
    asked = [one["sql"] for one in seen.captured_queries if not one["sql"].startswith(NO_QUESTION)]
    assert len(asked) <= BUDGET, f"{row.path} makes {len(asked)} queries:\n" + "\n".join(asked)
