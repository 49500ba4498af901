"""The programs of an installation: what runs, how it is told to stop, and how long it may take to."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from studio.embedded.config import CHECKOUT, Config
from studio.embedded.postgres import Postgres
from studio.embedded.redis_server import RedisServer

SERVICES = "services"
APPLICATION = "parley"


@dataclass(frozen=True, slots=True)
class Program:
    """One program under the supervisor; `death_signal` is what it gets when the supervisor itself is killed."""

    name: str
    group: str
    command: list[str]
    folder: Path = field(default=CHECKOUT)
    user: str | None = None
    copies: int = 1
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    death_signal: str = "SIGKILL"
    # A program that ends earlier is started again after a pause that grows; one that ends later, at once.
    settled_seconds: int = 10


def services(postgres: Postgres | None, redis: RedisServer | None) -> list[Program]:
    """The embedded servers that this installation needs. SIGINT is PostgreSQL's fast shutdown."""
    found = []
    if postgres is not None:
        found.append(
            Program(
                name="postgres",
                group=SERVICES,
                command=postgres.command(),
                folder=postgres.data.parent,
                user=postgres.user,
                stop_signal="INT",
                stop_seconds=20,
                death_signal="SIGINT",
                settled_seconds=2,
            )
        )
    if redis is not None:
        found.append(
            Program(
                name="redis",
                group=SERVICES,
                command=redis.command(),
                folder=redis.data,
                death_signal="SIGTERM",
                settled_seconds=2,
            )
        )
    return found


def application(config: Config) -> list[Program]:
    """Our own processes."""
    return [
        Program(name="web", group=APPLICATION, command=_gunicorn(config)),
        Program(
            name="training",
            group=APPLICATION,
            command=manage("worker", "training"),
            copies=config.training_workers,
        ),
        Program(
            name="running",
            group=APPLICATION,
            command=manage("worker", "running"),
            copies=config.running_workers,
        ),
        Program(name="background", group=APPLICATION, command=manage("worker", "background")),
        Program(name="controller", group=APPLICATION, command=manage("controller"), stop_seconds=20),
        Program(name="ingest", group=APPLICATION, command=manage("ingest")),
        Program(name="schedule", group=APPLICATION, command=manage("schedule")),
    ]


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(CHECKOUT / "manage.py"), *arguments]


def _gunicorn(config: Config) -> list[str]:
    """studio/gunicorn_conf.py says how many processes and threads, and why."""
    host = f"[{config.bind}]" if ":" in config.bind else config.bind
    options = ("--config", str(CHECKOUT / "studio" / "gunicorn_conf.py"), "--bind", f"{host}:{config.port}")
    return [sys.executable, "-m", "gunicorn", *options, "studio.wsgi:application"]
