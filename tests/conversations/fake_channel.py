"""A server that answers as Rasa's `rasa` channel and API do, for tests of what Parley makes of it."""

import json
import time
from typing import Any

import jwt
from django.test import Client

from environments.models import Environment
from studio.crypto import encrypt
from tests.conversations.events import action, bot, user
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
        self.memory: dict[str, list[dict[str, Any]]] | None = (
            None  # by speaker, of a server that has been told to remember
        )
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
        if self.memory is not None:
            self._remember(*self.heard[-1])
        return self.reply or Reply(body=self.replies)

    def _remember(self, speaker: str, text: str) -> None:
        """As Rasa does: the message, what was decided on it, the answers, and the listening."""
        assert self.memory is not None
        begun = action("action_listen", time.time() - 0.5, None, sender=speaker)
        events = self.memory.setdefault(speaker, [begun])
        now = max(time.time(), events[-1]["timestamp"] + 0.001)
        said = user(text, now, intent=text.strip("/ ").split(" ")[0], sender=speaker)
        answers = [bot(one.get("text"), now + 0.02, sender=speaker) for one in self.replies]
        events += [said, action("utter_hello", now + 0.01, sender=speaker), *answers]
        events.append(action("action_listen", now + 0.03, sender=speaker))
        self.server.replies[f"/conversations/{speaker}/tracker"] = lambda _seen: Reply(body={"events": events})
        self.server.replies[f"/conversations/{speaker}/tracker/events"] = lambda seen: self._append(events, seen)

    def _append(self, events: list[dict[str, Any]], seen: Seen) -> Reply:
        assert seen.query["token"] == TOKEN
        for one in json.loads(seen.body):
            events.append({"timestamp": max(time.time(), events[-1]["timestamp"] + 0.000001), **one})
        return Reply(body={"events": events})

    def _status(self, seen: Seen) -> Reply:
        if seen.query.get("token") != TOKEN:
            return Reply(401, {"status": "failure"})
        if not self.has_model:
            return Reply(409, {"status": "failure"})
        return Reply(body={"model_file": "m.tar.gz", "model_id": "m", "num_active_training_jobs": 0})


def say(client: Client, address: str, text: str = "hi", **more: str) -> Any:
    return client.post(address, {"text": text, **more})
