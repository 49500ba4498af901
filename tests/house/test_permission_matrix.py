"""Every address of ours, every kind of person, the answer each must get: permission_matrix.py has the rows."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.exceptions import Resolver404

from tests.house.permission_matrix import ROWS, Row
from tests.house.world import VIEWERS, World, make_world

pytestmark = pytest.mark.django_db
HERE = "tests/house/permission_matrix.py"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    """Made once for all rows: keys of environments take long to make. Each row gives back what it changes."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "ARTIFACTS_DIR", tmp_path_factory.mktemp("artifacts"))
        yield make_world()
        transaction.set_rollback(True)


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """The route of every URL, as `resolve(path).route` writes it."""
    for one in (resolver or get_resolver()).url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from patterns(one, route)


@cache
def route_of(path: str) -> str | None:
    """Placeholders stand for numbers and for words; a number fits both."""
    try:
        return resolve(path.replace("{", "").replace("}", "")).route
    except Resolver404:
        pass
    try:
        return resolve(_with_numbers(path)).route
    except Resolver404:
        return None


def _with_numbers(path: str) -> str:
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))


def ask(world: World, viewer: str, method: str, path: str, data: object = "") -> int:
    """The status of one request; nothing that it changed stays."""
    client = Client()
    with transaction.atomic():
        if viewer in world.people:
            client.force_login(world.people[viewer])
        response = _send(client, method, path.format_map(world.words), data)
        if isinstance(response, StreamingHttpResponse):
            response.getvalue()  # its end releases what sends it
        transaction.set_rollback(True)
    return response.status_code


def _send(client: Client, method: str, path: str, data: object) -> HttpResponseBase:
    if isinstance(data, dict) and method == "POST":
        return client.post(path, {"csrfmiddlewaretoken": "any", **data})  # a form is never quite empty
    return client.generic(method, path, data or "", content_type="application/json")


def _name(row: Row) -> str:
    return f"{row.method} {row.path}"


def test_every_url_has_a_row() -> None:
    missing = sorted(set(patterns()) - {route_of(row.path) for row in ROWS})
    assert not missing, f"Add to {HERE} a row for each method of these URLs (its docstring says how): {missing}"


def test_every_row_has_a_url() -> None:
    lost = [_name(row) for row in ROWS if route_of(row.path) is None]
    assert not lost, f"Remove these rows from {HERE}, or mend their paths: no URL of ours is so. {lost}"


def test_no_row_is_written_twice() -> None:
    names = [_name(row) for row in ROWS]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"Keep one row of each of these in {HERE}: {sorted(twice)}"


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_each_person_gets_the_answer_of_the_row(row: Row, world: World, redis_client) -> None:
    wanted = {viewer: getattr(row, viewer) for viewer in VIEWERS}
    got = {viewer: ask(world, viewer, row.method, row.path, row.data) for viewer in VIEWERS}
    assert got == wanted, f"Either {_name(row)} asks for the wrong permission, or its row in {HERE} is wrong."


@pytest.mark.parametrize("path", {route_of(row.path): row.path for row in ROWS}.values())
def test_methods_without_a_row_are_refused(path: str, world: World, redis_client) -> None:
    """Otherwise a view would answer in a way that the matrix knows nothing of."""
    written = {row.method for row in ROWS if route_of(row.path) == route_of(path)}
    answers = {method: ask(world, "admin", method, path) for method in METHODS if method not in written}
    open_ones = [method for method, status in answers.items() if status != 405]
    assert not open_ones, (
        f"{path} answers {open_ones} ({answers}): name the methods that its view takes "
        f"(@require_safe, @require_POST, @require_http_methods), or add their rows to {HERE}."
    )


def test_the_matrix_is_about_more_than_what_everybody_gets() -> None:
    assert sum(len({row.tester, row.annotator, row.admin}) > 1 for row in ROWS) > 10


def test_the_documentation_names_every_permission() -> None:
    from studio.access.permissions import Permission

    text = (Path(settings.BASE_DIR) / "docs/permissions.md").read_text()
    missing = [permission for permission in Permission if f"`{permission}`" not in text]
    assert not missing, f"Add a line to docs/permissions.md for {missing}"
