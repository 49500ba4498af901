"""Making, renaming, switching and deleting assistants."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from environments.models import Environment, ManagedServer, Replica
from environments.services.birth import create_environment
from environments.services.promotion import promote
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.factories import environment_of, make_assistant, make_model, make_person

HTMX = {"HX-Request": "true"}
DELETE = "/a/cafe/delete"


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    client.force_login(make_person("admin"))
    return client


@pytest.fixture
def cafe(db: None) -> Assistant:
    return make_assistant(slug="cafe", title="Café Lumen")


def test_the_list_says_of_each_how_its_environments_are_the_worst_first(admin: Client, cafe: Assistant):
    assert "no environment set up" in admin.get("/assistants/").content.decode()
    for name in ("a", "b", "c"):
        create_environment(actor=None, assistant=cafe, name=name, kind="managed")
    Environment.objects.filter(name="production").update(kind="connected")
    production = environment_of(cafe)
    promote(actor=None, environment=production, model=make_model(cafe))
    Replica.objects.create(environment=production, key="rasa-1", last_seen_at=timezone.now() - timedelta(minutes=5))
    page = admin.get("/assistants/").content.decode()
    said = re.findall(r'<a href="/a/cafe/environments/(\w+)">.*?</svg>([^<]+)<', page)
    assert said[0] == ("production", "No server polls")
    assert "worker" not in dict(said)
    assert "1 more" in page


def test_of_environments_one_may_not_see_the_list_says_nothing(client: Client, cafe: Assistant):
    Environment.objects.update(kind="connected")
    scope = Scope(cafe.pk, environment_of(cafe, "worker").pk)
    client.force_login(make_person("annotator", scope=scope))
    page = client.get("/assistants/").content.decode()
    assert "/a/cafe/environments/production" not in page
    assert "/a/cafe/environments/worker" in page


def test_a_new_assistant_has_production_and_worker(admin: Client):
    response = admin.post("/assistants/new", {"title": "Hotel", "slug": "hotel"}, headers=HTMX)
    assert response["HX-Redirect"] == "/a/hotel/models/"
    environments = Environment.objects.filter(assistant__slug="hotel")
    assert {(one.name, one.protected) for one in environments} == {("production", True), ("worker", False)}


@pytest.mark.parametrize("slug", ["cafe", "Café", "a b", "-x", ""])
def test_an_address_that_is_taken_or_cannot_be_is_said_at_the_field(admin: Client, cafe: Assistant, slug: str):
    response = admin.post("/assistants/new", {"title": "Hotel", "slug": slug}, headers=HTMX)
    assert response.status_code == 422
    assert "field-error" in response.content.decode()
    assert Assistant.objects.count() == 1


def test_renaming_changes_the_title_and_never_the_address(admin: Client, cafe: Assistant):
    admin.post("/a/cafe/settings", {"title": "Café Nox", "slug": "nox"})
    cafe.refresh_from_db()
    assert (cafe.title, cafe.slug) == ("Café Nox", "cafe")
    event = AuditEvent.objects.get(action=Action.ASSISTANT_RENAMED)
    assert (event.before, event.after) == ({"title": "Café Lumen"}, {"title": "Café Nox"})


def test_an_empty_title_is_refused(admin: Client, cafe: Assistant):
    assert admin.post("/a/cafe/settings", {"title": " "}).status_code == 422


def test_deleting_asks_for_the_address_to_be_typed(admin: Client, cafe: Assistant):
    page = admin.get(DELETE, headers=HTMX).content.decode()
    assert 'data-typed="cafe"' in page
    assert admin.post(DELETE, {"typed": "caf"}, headers=HTMX).status_code == 422
    assert Assistant.objects.current().filter(slug="cafe").exists()


def test_a_deleted_assistant_is_gone_from_every_page(admin: Client, cafe: Assistant):
    server = ManagedServer.objects.create(environment=environment_of(cafe))
    response = admin.post(DELETE, {"typed": "cafe"}, headers=HTMX)
    assert response["HX-Redirect"] == "/assistants/"
    assert admin.get("/a/cafe/models/").status_code == 404
    server.refresh_from_db()
    assert server.wanted is False
    assert make_assistant(slug="cafe").pk != cafe.pk  # its address is free again


def test_it_is_not_deleted_while_servers_poll_for_it(admin: Client, cafe: Assistant):
    replica = poll(cafe, seconds_ago=100)
    response = admin.post(DELETE, {"typed": "cafe"}, headers=HTMX)
    assert response.status_code == 422
    assert "Rasa servers still poll for production." in response.content.decode()

    Replica.objects.filter(pk=replica.pk).update(last_seen_at=timezone.now() - timedelta(seconds=130))
    assert admin.post(DELETE, {"typed": "cafe"}, headers=HTMX).status_code == 200


def test_the_default_assistant_stays(admin: Client):
    make_assistant(slug="default")
    response = admin.post("/a/default/delete", {"typed": "default"}, headers=HTMX)
    assert response.status_code == 422
    assert "cannot be deleted" in response.content.decode()
    assert "cannot be deleted" in admin.get("/a/default/settings").content.decode()


def test_only_who_may_modify_assistants_does(client: Client, cafe: Assistant):
    client.force_login(make_person("annotator"))
    for address in ("/assistants/new", "/a/cafe/settings", DELETE):
        assert client.get(address).status_code == 403
        assert client.post(address).status_code == 403
    assert "New assistant" not in client.get("/assistants/").content.decode()


def test_an_admin_of_one_assistant_makes_no_others(client: Client, cafe: Assistant):
    client.force_login(make_person("admin", Scope(cafe.pk)))
    assert client.get("/assistants/new").status_code == 403
    assert client.get("/a/cafe/settings").status_code == 200


def test_one_lists_and_switches_to_the_assistants_one_may_see(
    client: Client, cafe: Assistant, django_assert_max_num_queries: Any
):
    hidden = make_assistant(slug="hidden", title="Hidden")
    client.force_login(make_person("annotator", Scope(cafe.pk)))
    with django_assert_max_num_queries(12):
        page = client.get("/assistants/").content.decode()
    assert page.count("Café Lumen") > 1  # the list and the switcher
    assert hidden.title not in page


def poll(assistant: Assistant, *, seconds_ago: int) -> Replica:
    seen = timezone.now() - timedelta(seconds=seconds_ago)
    return Replica.objects.create(environment=environment_of(assistant), key="rasa-1", last_seen_at=seen)
