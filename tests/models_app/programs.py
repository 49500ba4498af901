"""A program that asks the API: a token of its own, and answers as JSON."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.services.api_sign_in import token_for
from tests.factories import make_person


class Program:
    """Acts as `user`; every path is below /api/projects/cafe."""

    def __init__(self, user: User) -> None:
        self.headers = {"Authorization": f"Bearer {token_for(user)}"}
        self.user = user

    def ask(
        self, method: str, path: str, body: object = None, *, content_type: str = "application/json", **headers: str
    ) -> HttpResponse:
        data = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        all_headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        client = Client()
        return client.generic(method, f"/api/projects/cafe{path}", data, content_type=content_type, headers=all_headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: object = None, **headers: str) -> Any:
        return self.ask("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("DELETE", path, **headers)


def program(role: str, scope: Scope = EVERYWHERE) -> Program:
    return Program(make_person(role, scope))


def multipart(*parts: tuple[str, str | None, bytes], boundary: str = "----parley") -> tuple[bytes, str]:
    """A body as curl's -F makes it, and its Content-Type: (field, file name, content)."""
    body = b""
    for field, file_name, content in parts:
        name = f'; filename="{file_name}"' if file_name is not None else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{name}\r\n'.encode()
        body += b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
