"""A program that shows an API token."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from studio.access.models import User
from studio.access.permissions import Permission
from studio.access.services import tokens
from tests.factories import make_person

_GIVEN = object()


class Program:
    """Asks as `user` with a token that holds all permissions; addresses are below /api."""

    def __init__(self, user: User, permissions: frozenset[str] = frozenset(Permission)) -> None:
        self.user = user
        made = tokens.make(actor=make_person("admin"), user=user, name="build", permissions=permissions)
        self.headers = {"Authorization": f"Bearer {made.text}"}

    def ask(self, method: str, path: str, body: Any = _GIVEN, **headers: str) -> HttpResponse:
        data = "" if body is _GIVEN else json.dumps(body)
        return Client().generic(
            method, f"/api{path}", data, content_type="application/json", headers={**self.headers, **headers}
        )

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = _GIVEN, **headers: str) -> HttpResponse:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: Any = _GIVEN, **headers: str) -> HttpResponse:
        return self.ask("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self.ask("DELETE", path, **headers)
