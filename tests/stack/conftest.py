"""Parley, Keycloak and a browser, all real. Slow to start, so each is started once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.chromium import PROGRAM, launched
from tests.rasa_fixtures import rasa_processes, rasa_runtime, trained_model, worker_id_or_main
from tests.s3_fixtures import s3, s3_of_the_run, s3_place
from tests.stack import kafka as kafka_server
from tests.stack import keycloak as server
from tests.stack.kafka import Kafka
from tests.stack.keycloak import PASSWORD, Keycloak

__all__ = [
    "rasa_processes",
    "rasa_runtime",
    "s3",
    "s3_of_the_run",
    "s3_place",
    "trained_model",
    "worker_id_or_main",
]
expect.set_options(timeout=60_000)  # of milliseconds: a busy Keycloak takes its time


@pytest.fixture(scope="session")
def keycloak_server(live_server) -> Iterator[Keycloak]:
    with server.running(live_server.url) as running:
        yield running


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    with kafka_server.running() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.fail("These tests need Chromium, which is not on this machine: install chromium.")
    with launched() as browser:
        yield browser


@pytest.fixture
def keycloak(keycloak_server, live_server, settings, redis_client, transactional_db, monkeypatch) -> Iterator[Keycloak]:
    """Keycloak without people, and a Parley that is set to use it."""
    from studio.access.oidc import keycloak_people, provider  # this module is read before Django is ready
    from studio.access.services.roles import ensure_default_roles

    # A browser keeps its connection to the live server open, and with it that thread's to the database.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    settings.PUBLIC_URL = live_server.url
    settings.OIDC_ISSUER = keycloak_server.issuer
    settings.OIDC_CLIENT_SECRET = server.CLIENT_SECRET
    provider.forget()
    keycloak_people.forget()
    ensure_default_roles()
    keycloak_server.remove_everybody()
    yield keycloak_server
    provider.forget()


@pytest.fixture
def unused_port() -> int:
    return server.free_port()


@dataclass
class Person:
    """Somebody at a browser of their own."""

    page: Page
    parley: str

    def open(self, path: str) -> None:
        self.page.goto(f"{self.parley}{path}")

    def begin(self, path: str = "/settings/account") -> None:
        """From a page of Parley's to Keycloak's form."""
        self.open(path)
        self.page.get_by_role("link", name="Sign in with Keycloak").click()

    def sign_in(self, username: str, path: str = "/settings/account") -> None:
        self.begin(path)
        self.fill_in(username)

    def fill_in(self, username: str) -> None:
        """Keycloak's form."""
        self.page.get_by_label("Username or email").fill(username)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign In").click()

    def allow(self, address: str, username: str) -> None:
        """The browser's part of the command line's sign-in, at Keycloak."""
        self.page.goto(address)
        self.fill_in(username)
        self.page.get_by_role("button", name="Yes").click()
        self.reads("Device Login Successful")

    def is_at(self, path: str) -> None:
        expect(self.page).to_have_url(f"{self.parley}{path}")

    def reads(self, text: str) -> None:
        expect(self.page.locator("body")).to_contain_text(text)


@pytest.fixture
def somebody(chromium: Browser, live_server) -> Iterator[Callable[[], Person]]:
    """Makes people, each with a browser that nobody has used."""
    contexts: list[BrowserContext] = []

    def make() -> Person:
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(30_000)
        contexts.append(context)
        return Person(context.new_page(), live_server.url)

    yield make
    for context in contexts:
        context.close()
