"""One request of one person of the world, of which nothing stays."""

from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.http.request import HttpHeaders
from django.test import Client

from studio.access.models import User
from tests.clients import client_of
from tests.house.world import World


def sign_in(person: User) -> str:
    """The key of a session."""
    client = client_of(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def browser(world: World, viewer: str) -> Client:
    """Signed in, unless it is the anonymous one's."""
    client = Client()
    if viewer in world.sessions:
        client.cookies[settings.SESSION_COOKIE_NAME] = world.sessions[viewer]
    return client


class Answer(NamedTuple):
    status: int
    text: str  # the body, and where a redirect leads


def answer(
    world: World, viewer: str, method: str, path: str, data: object = "", headers: dict[str, str] | None = None
) -> Answer:
    """One request; nothing that it changed stays."""
    client = browser(world, viewer)
    client.defaults.update(HttpHeaders.to_wsgi_names(headers or {}))
    with transaction.atomic():
        response = _send(client, method, path, data)
        # The end of a stream releases what sends it.
        body = response.getvalue() if isinstance(response, StreamingHttpResponse) else response.content
        transaction.set_rollback(True)
    return Answer(response.status_code, body.decode(errors="replace") + response.get("Location", ""))


def _send(client: Client, method: str, path: str, data: object) -> HttpResponseBase:
    if isinstance(data, dict) and method == "POST":
        return client.post(path, {"csrfmiddlewaretoken": "any", **data})  # a form is never quite empty
    return client.generic(method, path, data or "", content_type="application/json")
