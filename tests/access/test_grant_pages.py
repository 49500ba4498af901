"""Grants: the list of all, with its filters, and giving and taking for people and for groups."""

import pytest
from django.test import Client
from django.urls import reverse

from models_app.models import Assistant
from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant, grant_to_group
from studio.access.services.roles import save_role
from tests.access.page_fixtures import admin, cafe, client
from tests.factories import environment_of, make_person

__all__ = ["admin", "cafe", "client"]

pytestmark = pytest.mark.django_db
LIST = "/settings/grants/"


def page(client: Client, **query: str) -> str:
    return client.get(LIST, query).content.decode()


def give(client: Client, **fields: str):
    fields = {"kind": "person", "role": "tester", "where": "", **fields}
    return client.post(reverse("access:grant-add"), {"csrfmiddlewaretoken": "x", **fields})


def test_the_list_says_who_holds_what_where_and_by_whom(client: Client, admin: User, cafe: Assistant) -> None:
    scope, label = Scope(cafe.pk, environment_of(cafe, "worker").pk), "Café Lumen · worker"
    role = Role.objects.get(name="tester")
    grant(actor=admin, person=make_person(username="mara"), role=role, scope=scope, scope_label=label)
    grant_to_group(actor=admin, group="/operations", role=role)
    Grant.objects.create(user=make_person(username="tomas"), role=role, source="sso")
    text = page(client)
    for word in ("mara", label, "given here by admin", "/operations", "tomas", "from Keycloak"):
        assert word in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "MAR"}, {"mara"}),
        ({"q": "operat"}, {"/operations"}),
        ({"role": "annotator"}, {"/operations"}),
        ({"where": "cafe"}, {"mara"}),
        ({"where": "everywhere"}, {"/operations", "tomas"}),
        ({"source": "sso"}, {"tomas"}),
        ({"q": "nobody-of-this-name"}, set()),
    ],
)
def test_each_filter_narrows_the_list(client, cafe, query: dict[str, str], found: set[str]) -> None:
    tester = Role.objects.get(name="tester")
    grant(actor=None, person=make_person(username="mara"), role=tester, scope=Scope(cafe.pk), scope_label="Café Lumen")
    grant_to_group(actor=None, group="/operations", role=Role.objects.get(name="annotator"))
    Grant.objects.create(user=make_person(username="tomas"), role=tester, source="sso")
    if query.get("where") == "cafe":
        query = {"where": str(cafe.pk)}
    rows = client.get(LIST, query).context["lines"]
    assert {str(line.row.user or line.row.group) for line in rows} - {"admin"} == found


def test_a_filter_that_is_not_offered_finds_nothing_and_says_so(client: Client) -> None:
    answer = client.get(LIST, {"where": "99.7"})
    assert (answer.status_code, answer.context["lines"]) == (422, [])
    assert "Where: Select a valid choice" in answer.content.decode()


def test_a_group_gets_a_role_and_whoever_is_in_it_holds_it(client: Client, cafe: Assistant) -> None:
    assert give(client, kind="group", who="/operations", role="annotator", where=str(cafe.pk)).status_code == 302
    member = make_person()
    assert not member.may(Permission.ENVIRONMENTS_MODIFY, Scope(cafe.pk))
    User.objects.filter(pk=member.pk).update(groups=["/operations"])
    assert User.objects.get(pk=member.pk).may(Permission.ENVIRONMENTS_MODIFY, Scope(cafe.pk))


def test_a_person_is_named_by_user_name_in_capitals_or_not(client: Client) -> None:
    mara = make_person(username="Mara")
    assert give(client, who="mARA").status_code == 302
    assert mara.grants.get().role.name == "tester"


def test_an_unknown_person_is_refused_with_what_to_do(client: Client) -> None:
    answer = give(client, who="nobody")
    assert answer.status_code == 422
    assert "There is nobody of this user name. Add them under People first." in answer.content.decode()


def test_more_than_one_holds_is_refused_at_the_field(admin: User) -> None:
    manager, client = make_person(username="manager"), Client()
    role = save_role(actor=None, role=None, name="manager", description="", permissions=["people.modify"])
    grant(actor=None, person=manager, role=role)
    client.force_login(manager)
    answer = give(client, who="manager", role="admin")
    assert "You cannot give the role admin: you do not hold" in answer.content.decode()
    assert not manager.may(Permission.AUDIT_VIEW)


def test_a_grant_is_taken_from_the_list(client: Client) -> None:
    row = grant_to_group(actor=None, group="/operations", role=Role.objects.get(name="tester"))
    address = reverse("access:grant-take", args=[row.pk])
    assert "Take a role from the group /operations" in client.get(address).content.decode()
    assert client.post(address)["Location"] == LIST
    assert not Grant.objects.filter(pk=row.pk).exists()


def test_one_of_single_sign_on_says_why_it_stays(client: Client) -> None:
    row = Grant.objects.create(user=make_person(), role=Role.objects.get(name="tester"), source="sso")
    answer = client.post(reverse("access:grant-take", args=[row.pk]))
    assert (answer.status_code, "Take it away there." in answer.content.decode()) == (422, True)
    assert Grant.objects.filter(pk=row.pk).exists()


def test_the_dialog_offers_known_groups_and_what_the_address_asks_for(client: Client, cafe: Assistant) -> None:
    User.objects.update(groups=["/baristas"])
    text = client.get(reverse("access:grant-add"), {"group": "/cooks", "where": str(cafe.pk)}).content.decode()
    assert '<option value="/baristas">group</option>' in text
    assert 'value="/cooks"' in text
    assert f'<option value="{cafe.pk}" selected>' in text


def test_the_list_costs_the_same_for_many_grants(client, django_assert_max_num_queries) -> None:
    for number in range(12):
        grant_to_group(actor=None, group=f"g{number}", role=Role.objects.get(name="tester"))
        make_person("tester")
    with django_assert_max_num_queries(10):
        assert client.get(LIST).status_code == 200
