"""What a model's domain says can be megabytes: lists that only name models leave it in the database."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from models_app.models import Assistant
from studio.access.models import User
from tests.factories import make_model, make_person
from tests.models_app.measured import better, result_of
from tests.models_app.programs import Program

DOMAIN = '"models_app_model"."domain"'
API, PAGES = "/api/projects/cafe", "/a/cafe"


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> User:
    """Of an assistant whose models were tested."""
    for name in ("otter", "heron"):
        model = make_model(assistant, name)
        result_of(model)
        result_of(model, better())
    return make_person("admin")


def times_read(client: Client, path: str, **headers: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, headers=headers).status_code == 200
    return sum(one["sql"].count(DOMAIN) for one in queries)


@pytest.mark.parametrize("path", ["/training", "/training/1", "/training/1/log", "/training/1/tests"])
def test_the_api_reads_no_domain_to_name_a_model(admin: User, path: str) -> None:
    token = Program(admin).headers["Authorization"]
    assert times_read(Client(), f"{API}{path}", Authorization=token) == 0


@pytest.mark.parametrize("path", ["/training/", "/training/1", "/data/revisions/", "/data/revisions/1"])
def test_nor_does_a_page(admin: User, client: Client, path: str) -> None:
    client.force_login(admin)
    assert times_read(client, f"{PAGES}{path}") == 0


def test_the_tests_of_a_model_read_its_own_alone(admin: User, client: Client) -> None:
    client.force_login(admin)
    token = Program(admin).headers["Authorization"]
    assert times_read(Client(), f"{API}/models/otter/tests", Authorization=token) == 1
    assert times_read(client, f"{PAGES}/models/otter/tests") == 1
