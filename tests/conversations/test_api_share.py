"""Share links by the API."""

import time

import pytest

from conversations.chat.sessions import begin_guest
from conversations.models import Rating, ShareGuest, ShareLink
from environments.models import Environment
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.conversations.api import Api, api_of
from tests.factories import environment_of, make_assistant, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe")


@pytest.fixture
def production(cafe) -> Environment:
    return environment_of(cafe)


@pytest.fixture
def api(cafe) -> Api:
    return api_of("annotator")


def made(api: Api, **more: object) -> dict:
    answer = api.post("/projects/cafe/share", {"name": "Fair", **more})
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_a_link_is_made_with_all_that_can_be_set(api) -> None:
    end = int(time.time()) + 1000
    options = {
        "greeting": "Hello",
        "expires_at": end,
        "look": "dark",
        "accent": "#7fd1c7",
        "language": "de",
        "visitors_limit": 5,
        "messages_limit": 9,
        "origins": ["https://www.example.org"],
        "takes_ratings": False,
    }
    answer = api.post("/projects/cafe/share", {"name": "Fair", "password": "open sesame", **options})
    link = ShareLink.objects.get()
    body = answer.json()
    address = body.pop("address")
    assert address.rpartition("/")[2] in body.pop("snippet")
    assert body == {
        **options,
        "number": link.pk,
        "name": "Fair",
        "state": "open",
        "environment": "production",
        "model": None,
        "is_on": True,
        "has_password": True,
        "opened": 0,
        "wrote": 0,
        "returned": 0,
        "conversations": 0,
        "created_by": api.person.username,
        "created_at": link.created_at.timestamp(),
        "revoked_at": None,
    }
    assert answer["Location"] == f"/api/projects/cafe/share/{link.pk}"
    assert api.get(answer["Location"].removeprefix("/api")).json()["name"] == "Fair"
    assert AuditEvent.objects.filter(action=Action.SHARE_LINK_CREATED).count() == 1


def test_what_is_left_out_of_a_change_stays(api, cafe) -> None:
    link = made(api, password="open sesame", greeting="Hello", origins=["https://www.example.org"])
    path = f"/projects/cafe/share/{link['number']}"
    changed = api.put(path, {"is_on": False}).json()
    assert changed == {**link, "is_on": False, "state": "off"}
    assert api.put(path, {"password": None}).json()["has_password"] is False
    model = make_model(cafe, "otter")
    assert api.put(path, {"model": model.name}).json()["model"] == "otter"
    back = api.put(path, {"environment": "worker"}).json()
    assert (back["model"], back["environment"]) == (None, "worker")


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"environment": "none"}, {"accent": "red"}, {"password": "short"}, {"origins": ["http://x.example"]},
     {"language": "xx"}, {"expires_at": 5}, {"expires_at": 1e18}, {"visitors_limit": -1}, {"look": "blue"},
     {"visitors_limit": 10**30}],
)  # fmt: skip
def test_what_no_link_can_be_is_refused(api, wrong) -> None:
    answer = api.post("/projects/cafe/share", {"name": "Fair", **wrong})
    assert (answer.status_code, answer.json()["status"]) == (422, "failure")


def test_a_link_is_revoked_for_good(api) -> None:
    path = f"/projects/cafe/share/{made(api)['number']}"
    assert api.delete(path).status_code == 204
    gone = api.get(path).json()
    assert (gone["state"], gone["address"]) == ("revoked", "")
    assert api.delete(path).status_code == 409
    assert api.put(path, {"name": "Again"}).status_code == 409


def test_who_came_and_what_they_thought(api, production) -> None:
    number = made(api)["number"]
    link = ShareLink.objects.get()
    guest = ShareGuest.objects.create(link=link, secret_digest=b"x", last_at="2026-11-01T00:00Z", is_in=True)
    session = begin_guest(link=link, guest=guest)
    Rating.objects.create(session=session, link=link, reply="r", is_up=False, comment="cold tea")
    visitor = api.get(f"/projects/cafe/share/{number}/visitors").json()[0]
    assert (visitor["conversations"], visitor["has_written"]) == ([session.sender_id], True)
    rating = api.get(f"/projects/cafe/share/{number}/ratings").json()[0]
    assert (rating["rating"], rating["comment"], rating["message_timestamp"]) == ("down", "cold tea", None)


def test_links_are_seen_where_one_may_share(api, cafe) -> None:
    number = made(api)["number"]
    assert [one["number"] for one in api.get("/projects/cafe/share").json()] == [number]
    worker = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert worker.get("/projects/cafe/share").json() == []
    for path in (f"/{number}", f"/{number}/visitors", f"/{number}/ratings"):
        assert worker.get(f"/projects/cafe/share{path}").status_code == 404
    assert worker.post("/projects/cafe/share", {"name": "Mine"}).status_code == 422
    assert api_of("tester").get("/projects/cafe/share").status_code == 403
    assert api.get(f"/projects/cafe/share/{10**30}").status_code == 404
