"""The pages of API tokens and of the service accounts that act by them."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from models_app.models import Assistant
from studio.access.models import ApiToken, Role, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.services import people, service_accounts, sign_in, tokens
from studio.access.services.grants import grant
from studio.errors import Conflict, Forbidden
from tests.clients import client_of
from tests.factories import PASSWORD, environment_of, make_assistant, make_person

pytestmark = pytest.mark.django_db
TOKEN = re.compile(r"parley_[a-z2-7]{12}\.[\w-]{43}")


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


@pytest.fixture
def client(admin: User) -> Client:
    return browser_of(admin)


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe", "Café Lumen")


@pytest.fixture
def robot(admin) -> User:
    account = service_accounts.make_service(actor=admin, username="nightly-build", description="Trains every night")
    grant(actor=admin, person=account, role=Role.objects.get(name="annotator"))
    return account


@pytest.fixture
def mara() -> User:
    return make_person("annotator", username="mara")


def token_of_mara(mara: User) -> ApiToken:
    return tokens.make(actor=mara, user=mara, name="nightly build", permissions=[Permission.MODELS_VIEW]).row


def browser_of(person: User) -> Client:
    return client_of(person)


def address(name: str, *args: object) -> str:
    return reverse(f"access:{name}", args=args)


def post(client: Client, page: str, *args: object, **fields: object):
    return client.post(address(page, *args), {"csrfmiddlewaretoken": "x", **fields})


def make(user: User, **options) -> tokens.Made:
    return tokens.make(actor=user, user=user, name="build", permissions={Permission.TALK}, **options)


def shown(client: Client, page: str, *args: object) -> str:
    return " ".join(client.get(address(page, *args)).content.decode().split())


def test_a_new_token_is_shown_once_and_works(client) -> None:
    made = post(client, "token-new", name="build", where="everywhere", expires="30", permissions=["models.modify"])
    text = TOKEN.search(made.content.decode())[0]
    assert Client().get("/api/user", headers={"Authorization": f"Bearer {text}"}).json()["token"]["permissions"] == [
        "models.modify",
        "models.view",
    ]
    assert "no-store" in made["Cache-Control"]
    assert "curl -H" in made.content.decode()
    listed = shown(client, "tokens")
    assert f"parley_{text[7:19]}" in listed and text[20:] not in listed
    assert "never used" not in listed


@pytest.mark.parametrize(("days", "left"), [("7", 7), ("365", 365), ("never", None)])
def test_a_token_ends_when_its_maker_says(client, days, left) -> None:
    post(client, "token-new", name="build", where="everywhere", expires=days, permissions=["talk"])
    ends = ApiToken.objects.get().expires_at
    assert (ends is None) if left is None else ends - timezone.now() > timedelta(days=left, minutes=-5)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"permissions": []}, "Choose at least one"),
        ({"name": ""}, "This field is required"),
        ({"permissions": ["people.modify"]}, "not one of the available choices"),
        ({"where": ""}, "This field is required"),
        ({"where": "everywhere"}, "not one of the available choices"),
    ],
)
def test_a_form_that_asks_too_much_or_too_little_makes_no_token(cafe, fields, sentence) -> None:
    place = Scope(cafe.pk, environment_of(cafe, "worker").pk)
    client = browser_of(make_person("annotator", place))
    form = {"name": "build", "where": f"{cafe.pk}.{place.environment_id}", "expires": "7", "permissions": ["talk"]}
    answer = post(client, "token-new", **{**form, **fields})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_the_form_offers_what_one_holds_and_nothing_else(cafe) -> None:
    worker = environment_of(cafe, "worker")
    page = shown(browser_of(make_person("tester", Scope(cafe.pk, worker.pk))), "token-new")
    assert re.findall(r'name="permissions" value="([\w.]+)"', page) == ["talk"]
    assert f'value="{cafe.pk}.{worker.pk}"' in page
    assert ">Everywhere</option>" not in page and "All of" not in page


def test_without_a_role_the_page_says_why_there_is_nothing_to_make() -> None:
    client = browser_of(make_person())
    assert "You have no role yet" in shown(client, "tokens")
    assert "You have no role yet" in shown(client, "token-new")


def test_the_list_shows_state_use_and_end_of_ones_own_tokens_alone(client, admin) -> None:
    make(admin, expires_at=timezone.now() + timedelta(days=2))
    others = make(make_person("tester"))
    page = shown(client, "tokens")
    assert "Expires soon" in page and "never used" in page
    assert others.row.key not in page


def test_ended_tokens_are_shown_when_asked_for(client, admin) -> None:
    row = make(admin).row
    post(client, "token-revoke", row.pk)
    assert "No token in use" in shown(client, "tokens")
    assert "Show 1 that has ended too" in shown(client, "tokens")
    assert "Revoked" in client.get(address("tokens") + "?show=all").content.decode()


def test_a_rotated_token_shows_the_new_one_once(client, admin) -> None:
    old = make(admin)
    made = post(client, "token-rotate", old.row.pk, overlap="24")
    assert Client().get("/api/user", {"api_token": TOKEN.search(made.content.decode())[0]}).status_code == 200
    assert "Replaced" in shown(client, "tokens")
    assert post(client, "token-rotate", old.row.pk, overlap="24").status_code == 422


def test_tokens_of_others_are_not_there_for_people_without_that_right(admin) -> None:
    row = make(admin).row
    client = browser_of(make_person("annotator"))
    for page in ("token-revoke", "token-rotate"):
        assert client.get(address(page, row.pk)).status_code == 404
        assert post(client, page, row.pk, overlap="0").status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_an_admin_revokes_a_persons_token_and_cannot_take_it_over(client) -> None:
    row = make(make_person("tester")).row
    assert post(client, "token-rotate", row.pk, overlap="0").status_code == 404
    assert post(client, "token-revoke", row.pk).status_code == 302
    assert ApiToken.objects.get().revoked_at is not None


def test_a_service_account_is_made_and_gets_a_token(client) -> None:
    answer = post(client, "service-new", username="ci", description="Builds")
    account = User.objects.get(username="ci")
    assert answer["Location"] == address("service", account.pk)
    assert account.kind == User.Kind.SERVICE
    assert "Its tokens open nothing until it has one." in shown(client, "service", account.pk)
    grant(actor=None, person=account, role=Role.objects.get(name="tester"))
    made = post(
        client, "service-token-new", account.pk, name="build", where="everywhere", expires="never", permissions=["talk"]
    )
    text = TOKEN.search(made.content.decode())[0]
    answer = Client().get("/api/user", {"api_token": text}).json()
    assert (answer["username"], answer["kind"], answer["roles"]) == ("ci", "service", ["tester"])


def test_a_name_that_is_taken_makes_no_service_account(client) -> None:
    answer = post(client, "service-new", username="ADMIN", description="")
    assert answer.status_code == 422
    assert "There is already an account called ADMIN." in answer.content.decode()


def test_a_description_is_changed(client, robot) -> None:
    post(client, "service-edit", robot.pk, description="Trains twice a night")
    assert "Trains twice a night" in shown(client, "services")


def test_the_address_of_a_person_leads_a_service_account_to_its_page(client, robot) -> None:
    assert client.get(address("person", robot.pk))["Location"] == address("service", robot.pk)


def test_the_pages_of_service_accounts_are_for_no_person(client, admin) -> None:
    assert client.get(address("service", admin.pk)).status_code == 404


def test_shutting_a_service_account_out_ends_its_tokens(client, admin, robot) -> None:
    made = tokens.make(actor=admin, user=robot, name="build", permissions={Permission.TALK}, scope=EVERYWHERE)
    post(client, "person-shut-out", robot.pk)
    assert Client().get("/api/user", {"api_token": made.text}).status_code == 401
    assert "Its tokens were revoked" in shown(client, "service", robot.pk)
    with pytest.raises(Conflict):
        tokens.make(actor=admin, user=User.objects.get(pk=robot.pk), name="build", permissions={Permission.TALK})


def test_a_service_account_never_signs_in(client, robot) -> None:
    robot.set_password(PASSWORD)  # which no page does
    robot.save()
    fields = {"csrfmiddlewaretoken": "x", "username": robot.username, "password": PASSWORD}
    assert Client().post("/sign-in", fields).status_code == 422
    with pytest.raises(Forbidden):
        sign_in.make_link(actor=None, person=robot)
    answer = post(client, "person-link", robot.pk)
    assert answer.status_code == 422 and "/sign-in/" not in answer.content.decode().replace('/sign-in"', "")


def test_a_link_made_for_a_person_who_became_a_service_account_is_worth_nothing(admin) -> None:
    mara = people.create_person(actor=admin, username="mara", password=None)
    secret = sign_in.make_link(actor=admin, person=mara)
    User.objects.filter(pk=mara.pk).update(kind=User.Kind.SERVICE)
    assert sign_in.use_link(secret) is None


def test_the_list_of_service_accounts_costs_the_same_for_any_number(
    client, admin, django_assert_max_num_queries
) -> None:
    for number in range(12):
        service_accounts.make_service(actor=admin, username=f"robot-{number}", description="")
    with django_assert_max_num_queries(9):
        assert "robot-11" in shown(client, "services")


def test_the_list_of_tokens_costs_the_same_for_any_number(client, admin, django_assert_max_num_queries) -> None:
    for _ in range(12):
        make(admin)
    with django_assert_max_num_queries(12):
        assert shown(client, "tokens").count("parley_") == 12


# --- On the page of a person ------------------------------------------------------------------------------------------


def test_the_persons_page_lists_their_tokens_without_offering_to_take_them_over(client, mara) -> None:
    assert "None in use." in client.get(address("person", mara.pk)).content.decode()
    row = token_of_mara(mara)
    text = client.get(address("person", mara.pk)).content.decode()
    assert "nightly build" in text and f"parley_{row.key}" in text and "never used" in text
    assert address("token-revoke", row.pk) in text and address("token-rotate", row.pk) not in text


def test_whoever_manages_people_revokes_a_token_there_and_comes_back(client, mara) -> None:
    row = token_of_mara(mara)
    assert "cannot be brought back" in client.get(address("token-revoke", row.pk)).content.decode()
    assert post(client, "token-revoke", row.pk)["Location"] == address("person", mara.pk)
    text = client.get(address("person", mara.pk)).content.decode()
    assert "None in use." in text and "Show 1 that has ended too" in text
    assert "Revoked" in client.get(address("person", mara.pk), {"show": "all"}).content.decode()


def test_the_persons_page_costs_the_same_for_many_tokens(client, mara, django_assert_max_num_queries) -> None:
    for _ in range(30):
        token_of_mara(mara)
    with django_assert_max_num_queries(14):
        client.get(address("person", mara.pk))
