"""Numbers and names of what one may not see answer as if nothing were there. Within one assistant: the matrix."""

import pytest
from django.db import transaction
from django.test import Client

from studio.access.models import User
from studio.access.permissions import Scope
from tests.clients import client_of
from tests.factories import make_assistant, make_person
from tests.house.permission_matrix import ROWS, Row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
INSIDE = [row for row in ROWS if row.path.startswith("/a/cafe/")]


@pytest.fixture(scope="module")
def neighbour(everything) -> User:
    """Annotator of another assistant, and of nothing in the café."""
    return make_person("annotator", Scope(make_assistant("bistro", "Bistro").pk), username="neighbour")


def ask(viewer: User, row: Row, path: str):
    client = Client()
    with transaction.atomic():
        client.force_login(viewer)
        answer = client.generic(row.method, path, "", content_type="application/json")
        transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("row", INSIDE, ids=lambda row: f"{row.method} {row.path}")
def test_another_assistants_address_answers_as_if_there_were_none(row: Row, everything, neighbour) -> None:
    path = row.path.format_map(everything.words)
    answer = ask(neighbour, row, path)
    assert answer.status_code == 404
    nothing = ask(neighbour, row, path.replace("/a/cafe/", "/a/no-such-assistant/"))
    assert nothing.status_code == 404
    assert _words(answer) == _words(nothing)


def _words(answer) -> str:
    """The page without the number of the request."""
    return answer.content.decode().replace(answer["X-Request-Id"], "")


@pytest.mark.parametrize(
    "path",
    ["/a/bistro/conversations/{conversation}", "/a/bistro/models/otter", "/a/bistro/environments/production/log"],
)
def test_a_number_of_the_cafe_under_ones_own_assistant_finds_nothing(path, everything, neighbour) -> None:
    client = client_of(neighbour)
    answer = client.get(path.format_map(everything.words))
    assert answer.status_code == 404 or "cafe" not in answer.content.decode().lower()


@pytest.mark.parametrize(
    "path", ["/", "/assistants/", "/a/bistro/", "/a/bistro/conversations/", "/a/bistro/models/", "/a/bistro/share/"]
)
def test_lists_counts_and_choices_do_not_name_the_other_assistant(path, everything, neighbour) -> None:
    client = client_of(neighbour)
    page = client.get(path, follow=True).content.decode()
    assert "/a/bistro/" in page and "/a/cafe/" not in page
