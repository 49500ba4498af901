"""Fields that a form does not show cannot be set by adding them to the request."""

import ast
from pathlib import Path

import pytest
from django.test import Client

from environments.models import Environment
from studio.access.models import User
from tests.clients import client_of
from tests.factories import environment_of, make_assistant, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def client() -> Client:
    return client_of(make_person("admin", username="admin"))


def test_editing_a_person_changes_name_and_address_alone(client) -> None:
    person = make_person(username="tess")
    before = (
        User.objects.filter(pk=person.pk)
        .values("username", "password", "kind", "is_active", "session_epoch", "groups")
        .get()
    )
    more = {
        "username": "root",
        "password": "x",
        "kind": "service",
        "is_active": "",
        "session_epoch": "9",
        "groups": "admins",
    }
    client.post(f"/settings/people/{person.pk}/edit", {"name": "Tess", "email": "t@example.com", **more})
    person.refresh_from_db()
    assert person.name == "Tess"
    assert User.objects.filter(pk=person.pk).values(*before).get() == before


def test_ones_own_account_page_gives_nobody_anything(client) -> None:
    tester = make_person("tester", username="tess")
    own = client_of(tester)
    own.post("/settings/account", {"name": "T", "is_active": "1", "role": "1", "groups": "admins", "kind": "service"})
    tester.refresh_from_db()
    assert (tester.groups, tester.kind, [g.role.name for g in tester.grants.all()]) == ([], "person", ["tester"])


def test_editing_an_environment_leaves_its_keys_and_its_protection(client) -> None:
    production = environment_of(make_assistant("cafe"))
    Environment.objects.filter(pk=production.pk).update(kind="connected", url="http://rasa.example.com")
    kept = (
        "protected",
        "generation",
        "model_token_digest",
        "private_key_encrypted",
        "public_key",
        "tag_id",
        "assistant_id",
    )
    before = Environment.objects.filter(pk=production.pk).values(*kept).get()
    more = {
        "protected": "",
        "generation": "99",
        "public_key": "x",
        "tag": "1",
        "assistant": "7",
        "removed_at": "2026-01-01",
    }
    data = {"name": "production", "url": "http://new.example.com", "server_token": "", **more}
    assert client.post("/a/cafe/environments/production/edit", data).status_code == 302
    production.refresh_from_db()
    assert production.url == "http://new.example.com" and production.removed_at is None
    assert Environment.objects.filter(pk=production.pk).values(*kept).get() == before


def test_a_role_is_never_made_builtin_by_a_request(client) -> None:
    from studio.access.models import Role

    client.post("/settings/roles/new/", {"name": "mine", "description": "", "permissions": ["talk"], "is_builtin": "1"})
    assert Role.objects.get(name="mine").is_builtin is False


def modules():
    for folder in ("studio", "models_app", "environments", "conversations"):
        yield from (path for path in (CHECKOUT / folder).rglob("*.py") if "migrations" not in path.parts)


def test_no_form_is_made_from_a_model_and_no_row_from_a_request() -> None:
    """A ModelForm would take every field that somebody adds to the model later."""
    wrong = []
    for path in modules():
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("ModelForm" in ast.unparse(base) for base in node.bases):
                wrong.append(f"{path.name}: {node.name}")
            if isinstance(node, ast.keyword) and node.arg is None and "request.POST" in ast.unparse(node.value):
                wrong.append(f"{path.name}:{node.value.lineno}")
    assert wrong == []
