"""People: who there is, what each may do where, and how each gets in."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant, grant_to_group
from studio.access.services.roles import save_role
from studio.audit.models import AuditEvent
from tests.access.page_fixtures import admin, cafe, client
from tests.clients import client_of
from tests.factories import environment_of, make_person

__all__ = ["admin", "cafe", "client"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(cafe: Assistant) -> Environment:
    return environment_of(cafe, "worker")


def address(name: str, *args: object) -> str:
    return reverse(f"access:{name}", args=args)


def post(client: Client, page: str, *args: object, **fields: object):
    return client.post(address(page, *args), {"csrfmiddlewaretoken": "x", **fields})


def test_a_new_person_comes_in_by_the_link_that_is_shown_once(client: Client) -> None:
    shown = post(client, "person-new", username="mara", name="Mara", email="", role="annotator", where="")
    link = re.search(r"/sign-in/[\w-]+", shown.content.decode())[0]
    newcomer = Client()
    newcomer.post(link)
    assert newcomer.get("/settings/account").status_code == 200
    assert User.objects.get(username="mara").may(Permission.CONVERSATIONS_VIEW)
    person_page = client.get(address("person", User.objects.get(username="mara").pk)).content.decode()
    assert link not in person_page


@pytest.mark.parametrize(
    ("username", "sentence"),
    [("ADMIN", "There is already an account called ADMIN."), ("two words", "Letters, digits"), ("", "required")],
)
def test_a_user_name_that_cannot_be_is_refused_and_nobody_is_added(client, username, sentence) -> None:
    answer = post(client, "person-new", username=username, role="tester", where="")
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert User.objects.count() == 1


def test_a_role_is_given_for_one_environment_and_taken_again(client, cafe, worker) -> None:
    mara = make_person(username="mara")
    post(client, "grant-new", mara.pk, role="annotator", where=f"{cafe.pk}.{worker.pk}")
    here, there = Scope(cafe.pk, worker.pk), Scope(cafe.pk, environment_of(cafe).pk)
    fresh = User.objects.get(pk=mara.pk)
    assert fresh.may(Permission.ENVIRONMENTS_MODIFY, here)
    assert not fresh.may(Permission.ENVIRONMENTS_MODIFY, there)
    assert "Café Lumen · worker" in client.get(address("person", mara.pk)).content.decode()
    post(client, "grant-revoke", mara.pk, Grant.objects.get(user=mara).pk)
    assert not User.objects.get(pk=mara.pk).may(Permission.ENVIRONMENTS_MODIFY, here)
    actions = AuditEvent.objects.filter(target_id=str(mara.pk), target_kind="user").values_list("action", flat=True)
    assert {"role-granted", "role-revoked"} <= set(actions)


def test_a_place_that_is_not_offered_is_refused(client, cafe) -> None:
    mara = make_person(username="mara")
    assert post(client, "grant-new", mara.pk, role="tester", where=f"{cafe.pk}.999").status_code == 422
    assert not Grant.objects.filter(user=mara).exists()


def test_every_assistant_and_environment_is_offered_in_its_group(client, cafe, admin) -> None:
    page = client.get(address("grant-new", admin.pk)).content.decode()
    group = re.search(r'<optgroup label="Café Lumen">(.*?)</optgroup>', page, re.DOTALL)[1]
    assert re.findall(r">\s*([^<>]+?)\s*</option>", group) == ["All of Café Lumen", "production", "worker"]


def test_a_grant_of_a_place_that_is_gone_keeps_its_name(client, cafe) -> None:
    mara = make_person(username="mara")
    grant(actor=None, person=mara, role=Role.objects.get(name="tester"), scope=Scope(99), scope_label="Old bakery")
    page = client.get(address("person", mara.pk)).content.decode()
    assert "Old bakery" in page and "deleted" in page


def test_the_last_who_may_manage_people_keeps_that_role(client, admin) -> None:
    answer = post(client, "grant-revoke", admin.pk, admin.grants.get().pk)
    assert "last person who may manage people" in answer.content.decode()
    assert admin.grants.exists()


def test_with_a_second_admin_the_first_can_go(client, admin) -> None:
    other = make_person("admin", username="other")
    client.force_login(other)
    assert post(client, "person-shut-out", admin.pk).status_code == 302
    assert not User.objects.get(pk=admin.pk).is_active
    answer = post(client, "grant-revoke", other.pk, other.grants.get().pk)
    assert "last person who may manage people" in answer.content.decode()


def test_nobody_shuts_themselves_out(client, admin) -> None:
    make_person("admin")
    assert "You cannot shut yourself out." in post(client, "person-shut-out", admin.pk).content.decode()


def test_who_is_shut_out_gets_no_link_until_let_in(client) -> None:
    mara = make_person("tester", username="mara")
    post(client, "person-shut-out", mara.pk)
    assert "Let them in first" in post(client, "person-link", mara.pk).content.decode()
    post(client, "person-let-in", mara.pk)
    assert "/sign-in/" in post(client, "person-link", mara.pk).content.decode()


def test_the_list_finds_by_name_user_name_and_mail(client) -> None:
    User.objects.create(username="mara", name="Mara Lindqvist", email="m.l@cafe.example")
    User.objects.create(username="tomas", name="Tomás Herrera")
    for query in ("MAR", "lindq", "cafe.example"):
        page = client.get(address("people"), {"q": query}).content.decode()
        assert "Mara Lindqvist" in page and "Tomás" not in page


def test_the_list_is_sorted_by_user_name_over_its_pages(client) -> None:
    for number in range(30):
        make_person(username=f"person-{(number * 7) % 30:02}")
    first = client.get(address("people"), {"sort": "name"}).context["page"]
    second = client.get(address("people"), {"sort": "name", "after": first.older}).context["page"]
    assert [person.username for person in [*first.rows, *second.rows]] == [
        "admin",
        *(f"person-{number:02}" for number in range(30)),
    ]
    back = client.get(address("people"), {"sort": "name", "before": second.newer}).context["page"]
    assert (back.rows, second.older) == (first.rows, None)


def test_the_list_costs_the_same_for_many_people(client, django_assert_max_num_queries) -> None:
    for _ in range(12):
        make_person("tester")
    with django_assert_max_num_queries(10):
        assert client.get(address("people")).status_code == 200


def test_who_manages_people_of_one_assistant_only_has_no_people_page(cafe) -> None:
    client = client_of(make_person("admin", Scope(cafe.pk)))
    assert client.get(address("people")).status_code == 403
    assert address("people") not in client.get("/settings/account").content.decode()


def test_the_list_shows_roles_by_groups_and_finds_people_by_them(client) -> None:
    mara = make_person(username="mara")
    User.objects.filter(pk=mara.pk).update(groups=["/cooks"])
    grant_to_group(actor=None, group="/cooks", role=Role.objects.get(name="annotator"))
    page = client.get(address("people"), {"role": "annotator"})
    assert [row.person.username for row in page.context["rows"]] == ["mara"]
    assert "by the group /cooks" in page.content.decode()


@pytest.mark.parametrize("state", ["active", "expected", "out", "service"])
def test_the_list_is_narrowed_to_a_state(client, state) -> None:
    User.objects.create(username="expected", awaits_identity=True)
    User.objects.create(username="out", is_active=False)
    User.objects.create(username="service", kind="service")
    found = [row.person.username for row in client.get(address("people"), {"state": state}).context["rows"]]
    assert found == ["admin" if state == "active" else state]


def test_a_person_is_deleted_when_their_user_name_is_typed(client) -> None:
    mara = make_person("tester", username="mara")
    page = address("person-delete", mara.pk)
    assert "Type <code>mara</code> to confirm" in client.get(page).content.decode()
    for typed in ("", "maria"):
        assert client.post(page, {"typed": typed}).status_code == 422
    assert User.objects.filter(username="mara").exists()
    assert client.post(page, {"typed": "mara"})["Location"] == address("people")
    assert not User.objects.filter(username="mara").exists()


def test_nobody_deletes_themselves_and_the_dialog_says_so(client, admin) -> None:
    make_person("admin")
    answer = client.post(address("person-delete", admin.pk), {"typed": "admin"})
    assert "You cannot delete yourself." in answer.content.decode()


def test_somebody_deleted_is_out_at_once(client) -> None:
    mara, browser = make_person("tester", username="mara"), Client()
    browser.force_login(mara)
    assert browser.get("/settings/account").status_code == 200
    client.post(address("person-delete", mara.pk), {"typed": "mara"})
    assert browser.get("/settings/account").status_code == 302


@pytest.fixture
def manager(admin: User) -> Client:
    """Manages people and may do nothing else."""
    role = save_role(actor=None, role=None, name="manager", description="", permissions=["people.modify"])
    person, client = make_person(username="manager"), Client()
    grant(actor=None, person=person, role=role)
    client.force_login(person)
    return client


def test_nobody_becomes_somebody_who_may_more(manager: Client, admin: User) -> None:
    """Otherwise a sign-in link would be a way to every right."""
    answer = post(manager, "person-link", admin.pk)
    assert answer.status_code == 422
    assert "You cannot make a sign-in link for admin: you do not hold" in answer.content.decode()
    assert "/sign-in/" in post(manager, "person-link", make_person(username="mara").pk).content.decode()


def test_a_newcomer_gets_no_more_than_the_one_who_adds_them(manager: Client) -> None:
    answer = post(manager, "person-new", username="mara", role="admin", where="")
    assert answer.status_code == 422
    assert "You cannot give the role admin" in answer.content.decode()
    assert not User.objects.filter(username="mara").exists()


def test_a_service_account_gets_no_sign_in_link(client) -> None:
    robot = User.objects.create(username="robot", kind="service")
    assert "It never signs in" in post(client, "person-link", robot.pk).content.decode()


def test_with_single_sign_on_a_person_is_expected_and_has_their_role_before_they_come(client, settings) -> None:
    settings.OIDC_ISSUER = "https://login.example/realms/parley"
    answer = post(client, "person-new", username="mara", role="tester", where="", comes_by="sso")
    mara = User.objects.get(username="mara")
    assert (mara.awaits_identity, mara.may(Permission.TALK)) == (True, True)
    assert answer["Location"] == address("person", mara.pk)
    assert not mara.sign_in_links.exists()
    page = client.get(address("person", mara.pk)).content.decode()
    assert "Expected" in page and "whoever first comes by single sign-on" in page


def test_without_single_sign_on_everybody_comes_by_link(client, settings) -> None:
    settings.OIDC_ISSUER = ""
    assert "They come in by" not in client.get(address("person-new")).content.decode()


def test_a_role_of_single_sign_on_is_not_to_be_taken_on_the_persons_page(client) -> None:
    mara = make_person(username="mara")
    row = Grant.objects.create(user=mara, role=Role.objects.get(name="tester"), source="sso")
    page = client.get(address("person", mara.pk)).content.decode()
    assert "from Keycloak" in page
    assert address("grant-revoke", mara.pk, row.pk) not in page
