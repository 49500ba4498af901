from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import include, path

from studio.web import navigation
from studio.web.context import shell
from studio.web.navigation import Entry


@dataclass
class Row:
    id: int
    slug: str
    title: str


@dataclass
class Person:
    permissions: dict[str, set[int]]
    is_authenticated: bool = True

    def may_somewhere(self, permission: str, assistant_id: int | None = None) -> bool:
        held = self.permissions.get(permission, set())
        return bool(held) if assistant_id is None else assistant_id in held


CAFE, BAR = Row(1, "cafe", "Café"), Row(2, "bar", "Bar")
MODELS = Entry("models", "Models", "cube", "m:list", 20, permission="models.view", per_assistant=True)
TRAINING = Entry("training", "Training", "cpu-chip", "m:jobs", 30, per_assistant=True, match=("m:job",))
PEOPLE = Entry("people", "People", "users", "people", 90, group="settings")
MISSING = Entry("missing", "Missing", "x-mark", "no:such", 1)


def _page(request: HttpRequest, slug: str = "") -> None: ...


_models = ([path("a/<slug:slug>/models", _page, name="list"), path("a/<slug:slug>/jobs", _page, name="jobs")], "m")
urlpatterns = [path("", include(_models)), path("people", _page, name="people")]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(navigation, "_entries", {})
    monkeypatch.setattr(navigation, "_assistants", navigation._Assistants())
    for entry in (PEOPLE, TRAINING, MODELS, MISSING):
        navigation.register(entry)
    navigation.set_assistants(lambda request: [CAFE, BAR])
    yield


def request_for(view_name: str, user: object, **extra: object) -> HttpRequest:
    request = RequestFactory().get("/")
    request.resolver_match = SimpleNamespace(view_name=view_name)  # type: ignore[assignment]
    request.user, request.session = user, {}  # type: ignore[assignment]
    for name, value in extra.items():
        setattr(request, name, value)
    return request


EVERYTHING = Person({"models.view": {1, 2}})


def test_entries_come_in_their_order_and_those_without_a_page_stay_away() -> None:
    items = navigation.items(request_for("people", EVERYTHING), EVERYTHING, CAFE)
    assert [item.url for item in items] == ["/a/cafe/models", "/a/cafe/jobs", "/people"]


def test_an_entry_needs_its_permission_in_the_assistant_shown() -> None:
    person = Person({"models.view": {BAR.id}})
    keys = {
        row.slug: [i.key for i in navigation.items(request_for("people", person), person, row)] for row in (CAFE, BAR)
    }
    assert keys == {"cafe": ["training", "people"], "bar": ["models", "training", "people"]}


def test_without_an_assistant_only_entries_that_need_none_show() -> None:
    assert [item.key for item in navigation.items(request_for("people", EVERYTHING), EVERYTHING, None)] == ["people"]


@pytest.mark.parametrize(
    ("view_name", "active"), [("m:list", "models"), ("m:detail", "models"), ("m:job-log", "training"), ("other", None)]
)
def test_the_entry_that_names_the_page_most_exactly_is_active(view_name: str, active: str | None) -> None:
    items = navigation.items(request_for(view_name, EVERYTHING), EVERYTHING, CAFE)
    assert next((item.key for item in items if item.active), None) == active


def test_the_switcher_keeps_the_section() -> None:
    context = shell(request_for("m:jobs", EVERYTHING, assistant=CAFE))
    assert [(c.title, c.url, c.current) for c in context["shell"].switcher] == [
        ("Café", "/a/cafe/jobs", True),
        ("Bar", "/a/bar/jobs", False),
    ]


def test_a_page_without_an_assistant_keeps_the_last_one_seen() -> None:
    first = request_for("m:list", EVERYTHING, assistant=BAR)
    shell(first)
    context = shell(request_for("people", EVERYTHING, session=first.session))
    assert (context["assistant"], context["shell"].assistant) == (None, BAR)


def test_nobody_signed_in_sees_no_navigation() -> None:
    assert "shell" not in shell(request_for("people", SimpleNamespace(is_authenticated=False)))
    assert shell(RequestFactory().get("/")) == {"assistant": None}


@pytest.mark.parametrize(("view_name", "section"), [("m:list", "Models"), ("m:job-log", "Training"), ("other", "Café")])
def test_the_bar_of_a_phone_says_where_one_is(view_name: str, section: str) -> None:
    assert shell(request_for(view_name, EVERYTHING, assistant=CAFE))["shell"].section == section
