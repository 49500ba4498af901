"""Asking the API as one person."""

import json

from django.test import Client

from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.services import tokens


class Caller:
    """Asks with an API token of `user`'s, which holds `permissions` in `scope`."""

    def __init__(self, user: User, permissions=frozenset(Permission), scope: Scope = EVERYWHERE) -> None:
        self.user = user
        held = [one for one in permissions if user.may(one, scope)]
        made = tokens.make(actor=user, user=user, name="build", permissions=held, scope=scope)
        self.token, self.text = made.row, made.text

    def ask(self, method: str, path: str, body: object = None, **headers: str):
        content = "" if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.text}", **headers}
        return Client().generic(method, f"/api{path}", content, content_type="application/json", headers=headers)

    def get(self, path: str, **headers: str):
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str):
        return self.ask("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: object):
        return self.ask("PUT", path, body)

    def delete(self, path: str):
        return self.ask("DELETE", path)
