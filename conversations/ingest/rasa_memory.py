"""What an environment's Rasa server remembers: asked over its HTTP API, and listed where its tracker store is ours.

Rasa's HTTP API names no conversations: it tells those that one asks for by their id, and makes up one that it does not
know. The tracker store of a managed server, and of a connected one that was given our block, is a schema of our own
PostgreSQL, where its conversations can be listed.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from django.db import connection
from psycopg import sql

from conversations.ingest.compare import Period
from conversations.ingest.history_file import with_sender
from environments.models import Environment
from environments.services.address import NoServer, server_of
from environments.services.database import tracker_access
from studio.rasa import client as rasa

log = structlog.get_logger()

ANSWER_SECONDS = 30.0
LONGEST_PAUSE = 10.0
SLOW = 3.0  # times the usual: the server has other things to do
RETRY_PAUSES = (2.0, 5.0, 15.0)
STALE_SECONDS = 3600.0
NO_ANSWER = "Rasa's HTTP API has no address for an id with such characters, so this conversation cannot be compared."
TOO_LONG = "Rasa's answer is too long to be read."

# What may pass by itself, such as a restart. Everything else is wrong until somebody mends it.
_PASSING = (NoServer, rasa.TimedOut, rasa.Refused, rasa.Unreachable, rasa.ServerError)


class NotTold(Exception):
    """The server cannot be asked for this one conversation; the message says why."""


class TrackerTable:
    """The table `events` of Rasa's SQL tracker store in the environment's own schema."""

    def __init__(self, environment: Environment) -> None:
        access = tracker_access(environment)
        assert access is not None
        # Our own host: the access' is how Rasa servers reach it.
        ours = connection.settings_dict
        self._connect: dict[str, Any] = {
            "host": ours["HOST"] or None,
            "port": ours["PORT"] or None,
            "dbname": access.name,
            "user": access.username,
            "password": access.password,
        }
        self._table = sql.Identifier(access.schema, "events")

    def newest(self) -> float | None:
        """Rasa's time of its last event; None when there is none, or no table."""
        try:
            rows = self._ask("SELECT timestamp FROM {} ORDER BY id DESC LIMIT 1")
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            log.info("no tracker store to list", error=str(error).strip())
            return None
        return rows[0][0] if rows else None

    def senders(self, after: str, period: Period, limit: int) -> list[str]:
        """The next ids, in the order of their index, of conversations that said something in `period`."""
        rows = self._ask(
            "SELECT sender_id FROM {} WHERE sender_id > %s AND timestamp BETWEEN %s AND %s"
            " GROUP BY sender_id ORDER BY sender_id LIMIT %s",
            after,
            float("-inf") if period.since is None else period.since,
            period.until,
            limit,
        )
        return [row[0] for row in rows]

    def events(self, sender_id: str) -> list[bytes]:
        rows = self._ask("SELECT data FROM {} WHERE sender_id = %s ORDER BY id", sender_id)
        return [with_sender(row[0], sender_id) for row in rows]

    def _ask(self, query: Any, *parameters: object) -> list[tuple[Any, ...]]:
        with self._session() as session:
            return session.execute(sql.SQL(query).format(self._table), parameters).fetchall()

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with psycopg.connect(**self._connect, autocommit=True, connect_timeout=10) as session:
            yield session


def tracker_table(environment: Environment, our_newest: float | None) -> TrackerTable | None:
    """Where the environment's conversations can be listed; None when they lie elsewhere.

    A connected server may have its tracker store anywhere: ours counts as its when it goes as far as what we have.
    """
    if not environment.database_key:
        return None
    table = TrackerTable(environment)
    newest = table.newest()
    if newest is None:
        return None
    is_used = environment.kind == Environment.Kind.MANAGED or newest > (our_newest or newest) - STALE_SECONDS
    return table if is_used else None


@dataclass(slots=True)
class Pace:
    """How fast a server is asked: half of its time at most is ours, and less when it gets slow."""

    usual: float = 0.0  # seconds of an answer, as the last ones were
    waited: float = 0.0  # for answers, in all

    def pause_after(self, seconds: float) -> float:
        """How long to leave the server alone after an answer that took `seconds`."""
        is_slow = bool(self.usual) and seconds > SLOW * max(self.usual, 0.02)
        self.usual = seconds if not self.usual else 0.9 * self.usual + 0.1 * min(seconds, SLOW * self.usual)
        self.waited += seconds
        return min(LONGEST_PAUSE, seconds * (4 if is_slow else 1))


@dataclass(slots=True)
class RasaMemory:
    """Asks one environment's server, one conversation at a time."""

    environment: Environment
    table: TrackerTable | None
    pace: Pace = field(default_factory=Pace)
    sleep: Any = time.sleep

    def events(self, sender_id: str) -> list[bytes]:
        """All that the server remembers of a conversation, nothing when it knows none; as its event broker says it.

        Raises NotTold for this one conversation, and NoServer or a RasaError when nothing can be asked at all.
        """
        try:
            events = self._patiently(sender_id)
            if not any(one.get("event") == "user" for one in events):
                events = self._lasting(events, self._patiently(sender_id))
        except (rasa.CannotBeAsked, rasa.TooLarge) as error:
            if self.table is not None:
                return self.table.events(sender_id)
            raise NotTold(TOO_LONG if isinstance(error, rasa.TooLarge) else NO_ANSWER) from None
        return [json.dumps(one | {"sender_id": sender_id}).encode() for one in events]

    @staticmethod
    def _lasting(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rasa makes up the opening of a conversation that it does not know, and anew each time it is asked. Only where
        nobody said anything can that be, and what it really knows stands in both answers."""
        return [one for one in first if one in second]

    def _patiently(self, sender_id: str) -> list[dict[str, Any]]:
        for pause in RETRY_PAUSES:
            try:
                return self._once(sender_id)
            except _PASSING as error:
                log.info("the Rasa server is asked again", environment=self.environment.pk, error=type(error).__name__)
                self.sleep(pause)
        return self._once(sender_id)

    def _once(self, sender_id: str) -> list[dict[str, Any]]:
        address = server_of(self.environment)  # anew each time: a managed server that was restarted is elsewhere
        asked_at = time.monotonic()
        tracker = address.client(ANSWER_SECONDS).tracker(sender_id)
        self.sleep(self.pace.pause_after(time.monotonic() - asked_at))
        if tracker.get("sender_id", sender_id) != sender_id:  # a proxy in between changed the address
            raise rasa.CannotBeAsked(NO_ANSWER)
        return [one for one in tracker["events"] if isinstance(one, dict)]
