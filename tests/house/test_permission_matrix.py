"""Every address of ours, every kind of person, the answer each must get: permission_matrix.py has the rows."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.exceptions import Resolver404

from tests.house.asking import Answer, answer
from tests.house.permission_matrix import API, API_BY_TOKEN, ROWS, ByToken, Row
from tests.house.world import OUTSIDERS, SEALED, VIEWERS, World

pytestmark = [pytest.mark.django_db, pytest.mark.addresses]
HERE = "tests/house/permission_matrix.py"
DEAD_LINK = re.compile(r'(?:href|hx-get)=""(?! hidden)')  # a script fills in and shows the hidden ones
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


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


def answer_by_token(world: World, viewer: str, row: Row, path: str) -> Answer:
    """The same with an API token of the person, and `row.data` as JSON."""
    headers = {"Authorization": f"Bearer {world.tokens[viewer]}"} if viewer in world.tokens else {}
    body = row.data if isinstance(row.data, str) else json.dumps(row.data)
    with transaction.atomic():
        sent = Client().generic(row.method, path, body, content_type="application/json", headers=headers)
        content = sent.getvalue() if isinstance(sent, StreamingHttpResponse) else sent.content
        transaction.set_rollback(True)
    return Answer(sent.status_code, content.decode(errors="replace") + sent.get("Location", ""))


def ask(world: World, viewer: str, method: str, path: str, data: object = "") -> int:
    return answer(world, viewer, method, path.format_map(world.words), data).status


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


@pytest.mark.parametrize("row", [row for row in ROWS if row not in API], ids=_name)
def test_each_person_gets_the_answer_of_the_row(row: Row, world: World, redis_client) -> None:
    path = row.path.format_map(world.words)
    answers = {viewer: answer(world, viewer, row.method, path, row.data) for viewer in VIEWERS}
    wanted = {viewer: getattr(row, viewer) for viewer in VIEWERS}
    got = {viewer: given.status for viewer, given in answers.items()}
    assert got == wanted, f"Either {_name(row)} asks for the wrong permission, or its row in {HERE} is wrong."
    dead = [viewer for viewer, given in answers.items() if DEAD_LINK.search(given.text)]
    assert not dead, f"{_name(row)} has a link that leads nowhere: a template's variable ends with its block."
    told = [viewer for viewer in OUTSIDERS if SEALED in answers[viewer].text]
    assert not told, f"{_name(row)} names something to {told} that they may not know of (search for {SEALED} in it)."


def test_a_browsers_session_opens_nothing_of_the_api(world: World, redis_client) -> None:
    """Not even an admin's; whoever may less is answered the same."""
    opened = {_name(row): ask(world, "admin", row.method, row.path, row.data) for row in API}
    assert {name: status for name, status in opened.items() if status != 401} == {}


@pytest.mark.parametrize("row", API_BY_TOKEN, ids=_name)
def test_a_token_opens_what_its_persons_grants_open(row: ByToken, world: World, redis_client) -> None:
    path = row.path.format_map(world.words)
    answers = {viewer: answer_by_token(world, viewer, row, path) for viewer in VIEWERS}
    wanted = {viewer: getattr(row, viewer) for viewer in VIEWERS}
    got = {viewer: given.status for viewer, given in answers.items()}
    assert got == wanted, f"{_name(row)}, or its row in API_BY_TOKEN of {HERE}, is wrong: {answers['admin'].text[:300]}"
    told = [viewer for viewer in OUTSIDERS if SEALED in answers[viewer].text]
    assert not told, f"{_name(row)} names something to {told} that they may not know of (search for {SEALED} in it)."


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


# Lists, home, dialogs and settings that name things: what SEALED would show in, did it leak. The model `heron` is live
# in the sealed environment alone.
NAMING = (
    "/a/cafe/",
    "/a/cafe/models/",
    "/a/cafe/models/heron",
    "/a/cafe/models/heron/promote",
    "/a/cafe/models/heron/promotions",
    "/a/cafe/environments/",
    "/a/cafe/environments/worker/promote",
    "/a/cafe/conversations/",
    "/a/cafe/conversations/unreadable/",
    "/a/cafe/conversations/unreadable/cause/not-json/",
    "/a/cafe/share/",
    "/a/cafe/share/new",
    "/a/cafe/talk/worker/",
    "/assistants/",
    "/settings/audit/",
    "/settings/grants/",
    "/settings/access/",
)


@pytest.mark.parametrize("path", NAMING)
def test_what_is_sealed_is_really_there_to_be_named(path: str, world: World, redis_client) -> None:
    """Otherwise no leak could ever be found."""
    assert SEALED in answer(world, "admin", "GET", path).text


@pytest.mark.parametrize("path", NAMING)
@pytest.mark.parametrize("viewer", OUTSIDERS)
def test_what_is_sealed_is_named_to_no_outsider(viewer: str, path: str, world: World, redis_client) -> None:
    assert SEALED not in answer(world, viewer, "GET", path).text


def test_a_search_by_a_tag_that_one_does_not_see_finds_nothing(world: World, redis_client) -> None:
    """Otherwise one could guess the names of environments, and what is live there."""
    page = "/a/cafe/environments/worker/promote?q="
    assert "heron" in answer(world, "admin", "GET", page + SEALED).text
    assert "heron" in answer(world, "worker_annotator", "GET", page + "heron").text
    assert "heron" not in answer(world, "worker_annotator", "GET", page + SEALED).text


def _with_ids(rows: Iterable[Row]) -> list[Row]:
    kinds = ("{conversation}", "{worker_conversation}", "{dead_letter}", "{worker_dead_letter}", "{link}", "{talk}")
    return [row for row in rows if row.path.startswith("/a/cafe/") and any(kind in row.path for kind in kinds)]


@pytest.mark.parametrize("row", _with_ids(ROWS), ids=_name)
def test_an_id_of_one_assistant_is_nothing_under_another(row: Row, world: World, redis_client) -> None:
    """Not even for an admin, who may see both: the address says whose it is."""
    path = row.path.replace("/a/cafe/", "/a/inn/").format_map(world.words)
    assert answer(world, "admin", row.method, path, row.data).status == 404
    assert answer(world, "annotator", row.method, path, row.data).status == 404


_ENVIRONMENT = re.compile(
    r"^(/a/cafe/(?:environments|talk)|/api/projects/cafe/environments)/(?:production|worker)(?=/|$)"
)


def _sealed(path: str, world: World) -> str:
    """The address of the same thing in the environment that `worker_annotator` has no part in."""
    return _ENVIRONMENT.sub(rf"\1/{world.sealed['environment']}", path).format_map({**world.words, **world.sealed})


@pytest.mark.parametrize("row", [row for row in API_BY_TOKEN if _ENVIRONMENT.match(row.path)], ids=_name)
def test_with_a_role_in_one_environment_a_token_opens_no_other(row: ByToken, world: World, redis_client) -> None:
    path = _sealed(row.path, world)
    assert answer_by_token(world, "worker_annotator", row, path).status == 404
    assert answer_by_token(world, "inn_annotator", row, path).status == 404
    assert answer_by_token(world, "admin", row, path).status != 404 or row.admin == 404, "this test would prove nothing"


def _with_pages() -> list[Row]:
    rows = [row for row in ROWS if not row.path.startswith("/api/")]
    return [row for row in rows if _ENVIRONMENT.match(row.path) or row in _with_ids([row])]


@pytest.mark.parametrize("row", _with_pages(), ids=_name)
def test_with_a_role_in_one_environment_no_id_opens_another(row: Row, world: World, redis_client) -> None:
    path = _sealed(row.path, world)
    assert answer(world, "worker_annotator", row.method, path, row.data).status == 404
    assert answer(world, "inn_annotator", row.method, path, row.data).status == 404
    others = {answer(world, viewer, row.method, path, row.data).status for viewer in ("annotator", "admin")}
    assert others != {404} or row.admin == 404, "nobody gets there, so this test would prove nothing"


def test_the_matrix_is_about_more_than_what_everybody_gets() -> None:
    assert sum(len({row.tester, row.annotator, row.admin}) > 1 for row in ROWS) > 10


def test_the_documentation_names_every_permission() -> None:
    from studio.access.permissions import Permission

    text = (Path(settings.BASE_DIR) / "docs/permissions.md").read_text()
    missing = [permission for permission in Permission if f"`{permission}`" not in text]
    assert not missing, f"Add a line to docs/permissions.md for {missing}"
