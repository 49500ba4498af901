"""A Rasa server as far as it remembers conversations. tests/rasa/test_repair_real.py holds it to the real one."""

import time
from typing import Any

from environments.models import Environment
from studio.crypto import encrypt
from tests.conversations.events import action, event
from tests.rasa.servers import Reply, Seen, SmallServer

TOKEN = "their-token"


class FakeRasa(SmallServer):
    """`conversations` maps a sender to its events; of a sender that is not there it makes up three, as Rasa does."""

    def __init__(self) -> None:
        super().__init__()
        self.conversations: dict[str, list[dict[str, Any]]] = {}
        self.failures: list[Reply] = []  # answered first

    def hold(self, *events: dict[str, Any]) -> None:
        for one in events:
            kept = {name: value for name, value in one.items() if name != "sender_id"}
            self.conversations.setdefault(one["sender_id"], []).append(kept)

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if self.failures:
            return self.failures.pop(0)
        if seen.query.get("token") != TOKEN:
            return Reply(401, {"status": "failure"})
        sender = seen.path.removeprefix("/conversations/").removesuffix("/tracker")
        events = self.conversations.get(sender) or _made_up()
        return Reply(body={"sender_id": sender, "slots": {}, "events": events})

    @property
    def asked(self) -> list[str]:
        return [seen.path.removeprefix("/conversations/").removesuffix("/tracker") for seen in self.seen]


def _made_up() -> list[dict[str, Any]]:
    now = time.time()
    opening = [
        action("action_session_start", now, None),
        event("session_started", now + 0.00001),
        action("action_listen", now + 0.00002, None),
    ]
    return [{name: value for name, value in one.items() if name != "sender_id"} for one in opening]


def connect(environment: Environment, server: SmallServer) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(
        kind="connected", url=server.url, server_token_encrypted=encrypt(TOKEN)
    )
    environment.refresh_from_db()
    return environment
