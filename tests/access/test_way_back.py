"""`manage.py bootstrap`: the first account, and the way back in when nobody is left who may do everything."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from studio.access.models import Grant, User
from studio.access.permissions import Permission
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def without_starter(settings) -> None:
    settings.STARTER = False


def bootstrap() -> dict[str, str]:
    out = StringIO()
    call_command("bootstrap", "--json", stdout=out)
    return json.loads(out.getvalue())


def comes_in(facts: dict[str, str]) -> User:
    client = Client()
    client.post(facts["link"].partition("/sign-in")[1] + facts["link"].partition("/sign-in")[2])
    return User.objects.get(pk=client.session["_auth_user_id"])


def test_the_first_account_may_do_everything_and_comes_in_by_the_link() -> None:
    assert comes_in(bootstrap()).may(Permission.PEOPLE_MODIFY)


def test_a_file_of_environments_that_cannot_be_read_keeps_nobody_out(settings) -> None:
    settings.ENVIRONMENTS_FILE = "/nowhere.yml"
    assert comes_in(bootstrap()).username == "admin"


def test_an_admin_account_that_was_deleted_stays_away_while_another_may_do_everything() -> None:
    bootstrap()
    other = make_person("admin", username="mara")
    User.objects.filter(username="admin").delete()
    assert comes_in(bootstrap()) == other
    assert not User.objects.filter(username="admin").exists()


@pytest.mark.parametrize("gone", ["account", "role", "shut out"])
def test_when_nobody_is_left_who_may_do_everything_admin_comes_back(gone: str) -> None:
    bootstrap()
    match gone:
        case "account":
            User.objects.all().delete()
        case "role":
            Grant.objects.all().delete()
        case "shut out":
            User.objects.update(is_active=False)
    person = comes_in(bootstrap())
    assert (person.username, person.may(Permission.ENVIRONMENTS_MODIFY_PROTECTED)) == ("admin", True)
