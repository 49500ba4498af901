"""What a Rasa server does at the model server, by the test client, one poll at a time."""

from dataclasses import dataclass

from django.http import HttpResponseBase
from django.test import Client

from environments.models import Environment, Replica
from studio.crypto import decrypt


def address_of(environment: Environment) -> str:
    return f"/api/projects/{environment.assistant.slug}/models/tags/{environment.name}"


def token_of(environment: Environment) -> str:
    return decrypt(environment.model_token_encrypted)


@dataclass
class Poller:
    """Polls as Rasa does: If-None-Match is a random word first, then the ETag of what it loaded."""

    client: Client
    environment: Environment
    name: str = ""
    runs: str = "3f6b0c9f4a5e4f0c8d1e2a7b9c0d1e2f"
    loads: bool = True

    def poll(self) -> HttpResponseBase:
        headers = {"If-None-Match": self.runs} | ({"X-Parley-Replica": self.name} if self.name else {})
        response = self.client.get(address_of(self.environment), {"token": token_of(self.environment)}, headers=headers)
        if response.status_code == 200:
            self.body = b"".join(response.streaming_content)
            if self.loads:
                self.runs = response.headers["ETag"]
        return response

    @property
    def replica(self) -> Replica:
        return Replica.objects.get(environment=self.environment, key=self.name or "127.0.0.1")
