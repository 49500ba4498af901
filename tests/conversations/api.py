"""Asking the API with a token, for tests."""

import json
from typing import Any

from django.test import Client

from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.services import tokens
from tests.factories import make_person


class Api:
    """What a person's token, which holds every permission, opens: the person's own grants."""

    def __init__(self, person: User) -> None:
        admin = make_person("admin")
        made = tokens.make(actor=admin, user=person, name="build", permissions=frozenset(Permission))
        self.person, self.headers = person, {"Authorization": f"Bearer {made.text}"}
        self._client = Client()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        given = {**self.headers, **headers}
        return self._client.generic(method, f"/api{path}", content, content_type="application/json", headers=given)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        return self.ask("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: object = None) -> Any:
        return self.ask("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self.ask("DELETE", path)


def api_of(role: str = "admin", scope: Scope = EVERYWHERE) -> Api:
    return Api(make_person(role, scope))
