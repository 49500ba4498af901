"""Roles: made, changed and deleted, and never so that nobody could manage people any more."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from studio.access.categories import CATEGORIES, with_views
from studio.access.models import Role
from studio.access.permissions import Permission
from studio.access.ready_made import READY_MADE, ReadyMade
from studio.access.services.grants import grant, grant_to_group
from studio.access.services.roles import save_role
from tests.access.page_fixtures import admin, client
from tests.clients import client_of
from tests.factories import make_person

__all__ = ["admin", "client"]

pytestmark = pytest.mark.django_db


def save(client: Client, name: str, *, new: bool = False, **fields: object):
    address = reverse("access:role-new") if new else reverse("access:role", args=[name])
    return client.post(address, {"name": name, "permissions": [], **fields})


def test_the_page_has_a_box_for_every_permission_exactly_once() -> None:
    shown = [permission for one in CATEGORIES for permission in (one.view, *one.modify) if permission]
    assert sorted(shown) == sorted(Permission)


def test_a_new_role_can_be_given_at_once(client: Client) -> None:
    assert save(client, "writer", new=True, permissions=["responses.modify"]).status_code == 302
    mara = make_person(username="mara")
    grant(actor=None, person=mara, role=Role.objects.get(name="writer"))
    assert mara.may(Permission.RESPONSES_MODIFY)


def test_whoever_may_change_may_also_view(client: Client) -> None:
    save(client, "releaser", new=True, permissions=["environments.modify_protected"])
    held = Role.objects.get(name="releaser").permissions
    assert held == sorted(with_views([Permission.ENVIRONMENTS_MODIFY_PROTECTED])) != ["environments.modify_protected"]


def test_changing_a_role_counts_from_the_next_request(client: Client) -> None:
    annotator = client_of(make_person("annotator"))
    assert annotator.get(reverse("audit:list")).status_code == 403
    save(client, "annotator", permissions=["audit.view"])
    assert annotator.get(reverse("audit:list")).status_code == 200


def test_the_admin_role_keeps_every_permission(client: Client) -> None:
    answer = save(client, "admin", permissions=["talk"])
    assert "keeps its name and every permission" in answer.content.decode()
    assert set(Role.objects.get(name="admin").permissions) == set(Permission)


def test_the_admin_role_can_be_saved_from_its_page(client: Client) -> None:
    assert save(client, "admin", permissions=list(Permission), description="All of it.").status_code == 302


def test_a_name_is_taken_once(client: Client) -> None:
    assert "already a role called tester" in save(client, "tester", new=True).content.decode()
    own = save_role(actor=None, role=None, name="own", description="", permissions=[])
    answer = client.post(reverse("access:role", args=[own.name]), {"name": "tester"})
    assert "already a role called tester" in answer.content.decode()


def test_the_only_role_that_manages_people_cannot_lose_that(client, admin) -> None:
    boss = save_role(actor=None, role=None, name="boss", description="", permissions=["people.modify", "talk"])
    grant(actor=None, person=admin, role=boss)
    admin.grants.exclude(role=boss).delete()
    assert "last person who may manage people" in save(client, "boss", permissions=["talk"]).content.decode()
    assert Role.objects.get(name="boss").permissions == ["people.modify", "talk"]


def test_a_role_is_deleted_only_when_nobody_has_it_and_it_is_not_built_in(client: Client) -> None:
    own = save_role(actor=None, role=None, name="own", description="", permissions=[])
    mara = make_person(username="mara")
    held = grant(actor=None, person=mara, role=own)
    address = reverse("access:role-delete", args=["own"])
    assert "1 person has this role" in client.post(address).content.decode()
    held.delete()
    assert client.post(address).status_code == 302
    assert not Role.objects.filter(name="own").exists()
    built_in = client.post(reverse("access:role-delete", args=["tester"]))
    assert "every installation keeps" in built_in.content.decode()


def test_one_role_at_most_is_for_new_people(client: Client) -> None:
    for name in ("annotator", "tester"):
        save(client, name, is_default="on", permissions=["talk"])
    assert [role.name for role in Role.objects.filter(is_default=True)] == ["tester"]
    assert '<option value="tester" selected>' in client.get(reverse("access:person-new")).content.decode()


def test_without_a_role_for_new_people_none_is_chosen_for_them(client: Client) -> None:
    """The first by name would be admin."""
    for page in ("person-new", "grant-add"):
        assert (
            '<option value="" selected>Choose a role</option>' in client.get(reverse(f"access:{page}")).content.decode()
        )


def test_the_list_costs_the_same_for_many_roles(client, django_assert_max_num_queries) -> None:
    for number in range(8):
        save_role(actor=None, role=None, name=f"role-{number}", description="", permissions=[])
    with django_assert_max_num_queries(9):
        assert client.get(reverse("access:roles")).status_code == 200


def test_a_copy_begins_with_what_the_role_holds_under_another_name(client: Client) -> None:
    page = client.get(reverse("access:role-new"), {"from": "tester"})
    assert page.context["form"].initial["name"] == "tester-copy"
    assert re.findall(r'value="([\w.]+)" id="permission-\S+ checked', page.content.decode()) == ["talk"]


def test_every_permission_says_what_it_means(client: Client) -> None:
    page = client.get(reverse("access:role", args=["tester"])).content.decode()
    assert all(one.label and one.meaning and one.meaning in page for one in Permission)


def test_the_list_counts_people_and_groups(client: Client) -> None:
    for _ in range(2):
        make_person("tester")
    grant_to_group(actor=None, group="/cooks", role=Role.objects.get(name="tester"))
    page = client.get(reverse("access:roles")).content.decode()
    assert "2 people, 1 group</a>" in page
    assert "the group /cooks" in client.get(reverse("access:role", args=["tester"])).content.decode()


# --- Ready-made roles -------------------------------------------------------------------------------------------------

READY = "/settings/roles/ready-made/"


def test_rasa_enterprises_three_and_rasa_studios_nine_are_offered_and_none_is_made_unasked(client: Client) -> None:
    offers = client.get(READY).context["offers"]
    assert [offer.role.name for offer in offers if offer.is_here] == ["admin", "annotator", "tester"]
    assert [offer.role.known_as for offer in offers if not offer.is_here] == [
        "SuperUser",
        "Developer",
        "Business User",
        "Lead Annotator",
        "Annotator",
        "NLU Editor",
        "Flow Builder",
        "Conversation Analyst",
        "Conversation Viewer",
    ]
    assert Role.objects.count() == 3


def test_a_ready_made_role_is_added_once(client: Client) -> None:
    for _ in range(2):
        client.post(READY, {"role": "nlu-editor"})
    editor = Role.objects.get(name="nlu-editor")
    assert {"nlu.modify", "nlu.view"} <= set(editor.permissions)
    assert "There is already a role called nlu-editor." in client.get(READY).content.decode()
    client.post(READY, {"role": "of-another-world"})
    assert Role.objects.count() == 4


@pytest.mark.parametrize("offer", READY_MADE, ids=lambda offer: offer.name)
def test_whoever_may_change_by_a_ready_made_role_may_also_view(offer: ReadyMade) -> None:
    assert with_views(offer.permissions) == offer.permissions


def test_the_documentation_has_a_line_for_each_ready_made_role() -> None:
    text = (Path(settings.BASE_DIR) / "docs/permissions.md").read_text()
    assert not [offer.name for offer in READY_MADE if f"`{offer.name}`" not in text]


def test_what_lies_beyond_somebody_can_neither_be_added_nor_ticked(client: Client) -> None:
    role = save_role(actor=None, role=None, name="manager", description="", permissions=["people.modify", "talk"])
    person, manager = make_person(), Client()
    grant(actor=None, person=person, role=role)
    manager.force_login(person)
    assert "beyond you" in manager.get(READY).content.decode()
    manager.post(READY, {"role": "superuser"})
    assert not Role.objects.filter(name="superuser").exists()
    page = manager.get(reverse("access:role", args=["annotator"])).content.decode()
    assert "so you cannot change it" in page
    boxes = re.findall(r'id="permission-([\w.]+)"([^>]*)>', manager.get(reverse("access:role-new")).content.decode())
    assert [name for name, rest in boxes if "disabled" not in rest] == ["talk", "people.modify"]
