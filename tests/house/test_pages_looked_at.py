"""Every page is in the list of those that tests/browser/test_accessibility.py looks at."""

import pytest

from tests.browser.pages import DIALOGS, PAGES, PUBLIC_PAGES
from tests.house.asking import answer
from tests.house.permission_matrix import API, OPERATORS, ROWS, Row
from tests.house.test_permission_matrix import route_of
from tests.house.world import VIEWERS, World

pytestmark = [pytest.mark.django_db, pytest.mark.addresses]

LOOKED_AT = [*PAGES, *PUBLIC_PAGES, *(dialog for _page, dialog in DIALOGS)]
ALIKE = {row.path for row in OPERATORS}  # one of each kind stands for Django's own tables


def is_a_page(world: World, row: Row) -> bool:
    """A whole document for somebody; fragments and files are none."""
    viewer = next((one for one in VIEWERS if getattr(row, one) == 200), None)
    text = answer(world, viewer, "GET", row.path.format_map(world.words)).text if viewer else ""
    return text.lstrip().lower().startswith("<!doctype")


def test_every_page_is_looked_at(world: World, redis_client) -> None:
    known = {route_of(path.partition("?")[0]) for path in LOOKED_AT}
    rest = [row for row in ROWS if row.method == "GET" and row.path not in ALIKE and row not in API]
    forgotten = [row.path for row in rest if route_of(row.path) not in known and is_a_page(world, row)]
    assert not forgotten, f"Add them to PAGES, DIALOGS or PUBLIC_PAGES of tests/browser/pages.py: {forgotten}"
