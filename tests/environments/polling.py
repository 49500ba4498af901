"""What a Rasa server does at the model server, by the test client, one poll at a time."""

from dataclasses import dataclass

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.test import Client

from environments.models import Environment, Replica
from studio.crypto import decrypt


def address_of(environment: Environment) -> str:
    return f"/api/projects/{environment.assistant.slug}/models/tags/{environment.name}"


def token_of(environment: Environment) -> str:
    return decrypt(environment.model_token_encrypted)


def break_off(response: HttpResponseBase) -> None:
    """End a download as the web server does when the connection is gone; the test keeps its own to the database."""
    request_finished.disconnect(close_old_connections)
    try:
        with pytest.raises(ConnectionResetError):
            response.close()
    finally:
        request_finished.connect(close_old_connections)


@dataclass
class Poller:
    """Polls as Rasa does: If-None-Match is a random word first, then the ETag of what it loaded."""

    client: Client
    environment: Environment
    name: str = ""
    runs: str = "3f6b0c9f4a5e4f0c8d1e2a7b9c0d1e2f"
    loads: bool = True
    claims: str = ""  # its RASA_ENVIRONMENT
    token: str = ""  # instead of the environment's own

    def ask(self) -> HttpResponseBase:
        says = {"X-Parley-Replica": self.name, "X-Parley-Environment": self.claims}
        headers = {"If-None-Match": self.runs} | {name: value for name, value in says.items() if value}
        token = self.token or token_of(self.environment)
        return self.client.get(address_of(self.environment), {"token": token}, headers=headers)

    def poll(self, *, cut: bool = False) -> HttpResponseBase:
        """Ask, and take what is given; `cut`: the connection breaks before any of it has gone out."""
        response = self.ask()
        if cut:
            break_off(response)
        elif response.status_code == 200:
            self.body = b"".join(response.streaming_content)
            if self.loads:
                self.runs = response.headers["ETag"]
        return response

    @property
    def replica(self) -> Replica:
        return Replica.objects.get(environment=self.environment, key=self.name or "127.0.0.1")
