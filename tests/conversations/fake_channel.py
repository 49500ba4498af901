"""A server that answers as Rasa's `rasa` channel and API do, for tests of what Parley makes of it."""

import json
from typing import Any

import jwt

from environments.models import Environment
from studio.crypto import encrypt
from tests.rasa.servers import Reply, Seen, SmallServer

TOKEN = "server-token"
WEBHOOK = "/webhooks/rasa/webhook"


class Channel:
    """Says `replies` to every message; `reply` overrides the whole answer."""

    def __init__(self, server: SmallServer) -> None:
        self.server = server
        self.replies: list[dict[str, Any]] = [{"recipient_id": "x", "text": "Hello!"}]
        self.reply: Reply | None = None
        self.heard: list[tuple[str, str]] = []  # speaker, message
        self.has_model = True
        server.replies[WEBHOOK] = self._hear
        server.replies["/webhooks/rasa/"] = Reply(body={"status": "ok"})
        server.replies["/status"] = self._status

    def connect(self, environment: Environment) -> None:
        Environment.objects.filter(pk=environment.pk).update(
            kind=Environment.Kind.CONNECTED, url=self.server.url, server_token_encrypted=encrypt(TOKEN)
        )
        environment.refresh_from_db()
        self.public_key = environment.public_key

    def _hear(self, seen: Seen) -> Reply:
        token = seen.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, self.public_key, algorithms=["RS256"])
        assert set(claims) == {"username", "scopes", "exp"}
        self.heard.append((claims["username"], json.loads(seen.body)["message"]))
        return self.reply or Reply(body=self.replies)

    def _status(self, seen: Seen) -> Reply:
        if seen.query.get("token") != TOKEN:
            return Reply(401, {"status": "failure"})
        if not self.has_model:
            return Reply(409, {"status": "failure"})
        return Reply(body={"model_file": "m.tar.gz", "model_id": "m", "num_active_training_jobs": 0})
