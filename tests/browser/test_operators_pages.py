"""Django's pages for operators under our strict policy: the browser refuses nothing of them, and they fit a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from studio.access.models import User
from tests.browser.conftest import watched
from tests.clients import client_of, cookies_of
from tests.factories import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def admin(redis_client) -> Iterator[User]:
    for number in range(12):
        make_person("tester", username=f"tester-{number}")
    return make_person("admin", username="admin")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tables_rows_and_search_need_nothing_that_the_policy_refuses(
    chromium: Browser, live_server, admin: User, width: int, scheme: str
) -> None:
    client = client_of(admin)
    with watched(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        context.add_cookies(cookies_of(client, live_server.url))
        page = context.new_page()
        page.goto(f"{live_server.url}/admin/")
        expect(page.get_by_role("heading", name="Tables")).to_be_visible()
        page.get_by_role("link", name="Users", exact=True).click()
        page.get_by_role("searchbox").or_(page.locator("#searchbar")).fill("tester-3")
        page.keyboard.press("Enter")
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        page.locator("#result_list tbody a").first.click()
        expect(page.get_by_text("tester-3").first).to_be_visible()
        assert page.locator("input:visible, textarea:visible, select:visible").count() == 0
        page.goto(f"{live_server.url}/settings/audit/?outcome=done")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
