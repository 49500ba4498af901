"""What the foundation examines: settings, PostgreSQL, Redis and disks."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection

from studio import doctor, redis, schema
from studio.doctor import Finding, Status
from studio.rasa.runtime import Runtimes
from studio.web.formats import size

LEAST_POSTGRES, LEAST_REDIS = 15, (6, 2)
SKEW = timedelta(seconds=5)
OTHER_CONNECTIONS = 20  # of schedule, controller, ingest, and of whoever types commands
FEW_BYTES, TOO_FEW_BYTES = 5 * 1024**3, 512 * 1024**2


def register() -> None:
    doctor.register("database", "studio.examinations.database")
    doctor.register("redis", "studio.examinations.redis_server")
    doctor.register("settings", "studio.examinations.settings_together")
    doctor.register("disk", "studio.examinations.disks")


def settings_together() -> Iterator[Finding]:
    """Everything that Django's checks find, ours among them: contradictions, and what is unsafe."""
    found = [one for one in _checked() if not one.is_silenced()]
    for one in found:
        status = Status.FAIL if one.is_serious() else Status.WARN
        yield Finding("settings", status, str(one.msg), str(one.hint or ""))
    if not found:
        yield Finding("settings", Status.OK, "None contradicts another, and none is unsafe.")


def _checked() -> list[checks.CheckMessage]:
    """Without a database, what can be said without one."""
    try:
        return checks.run_checks(databases=["default"])
    except DatabaseError:
        return checks.run_checks()


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

_FACTS = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'), pg_is_in_recovery(),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       current_setting('server_encoding'), current_setting('fsync'), current_setting('autovacuum'), clock_timestamp(),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)
"""


def database() -> Iterator[Finding]:
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(_FACTS)
        version, words, recovers, room, encoding, fsync, autovacuum, now, limit = cursor.fetchone()
    wrong = [
        *_wrong_server(version, words, recovers, encoding),
        *_careless_server(fsync, autovacuum),
        *_room(room if limit < 0 else min(room, limit)),
        *_clock(before, now, datetime.now(UTC)),
    ]
    yield from wrong
    if not wrong:
        yield Finding("database", Status.OK, f"PostgreSQL {words.split()[0]}; its schema is {schema.read().in_words}.")


def _wrong_server(version: int, words: str, recovers: bool, encoding: str) -> Iterator[Finding]:
    if version < LEAST_POSTGRES:
        yield Finding(
            "database", Status.FAIL, f"It is PostgreSQL {words}.", f"Upgrade it to {LEAST_POSTGRES} or newer."
        )
    if recovers:
        yield Finding("database", Status.FAIL, "It is a standby, and takes no writes.", "Name the primary.")
    if encoding != "UTF8":
        mend = "Make a database with ENCODING 'UTF8', and restore a backup into it."
        yield Finding("database", Status.FAIL, f"Its encoding is {encoding}: not every text fits.", mend)


def _careless_server(fsync: str, autovacuum: str) -> Iterator[Finding]:
    if fsync == "off":
        yield Finding("database", Status.WARN, "fsync is off: a power cut may lose all of it.", "Set fsync = on.")
    if autovacuum == "off":
        yield Finding("database", Status.WARN, "autovacuum is off: it will become slow.", "Set autovacuum = on.")


def _room(connections: int) -> Iterator[Finding]:
    jobs = 2 * (settings.TRAINING_WORKERS + settings.RUNNING_WORKERS)
    needed = settings.WEB_WORKERS * settings.WEB_CONNECTIONS + jobs + OTHER_CONNECTIONS
    if connections < needed:
        yield Finding(
            "database",
            Status.WARN,
            f"It lets {connections} connections in, and the processes of one machine may want {needed}.",
            "Raise max_connections (or the role's CONNECTION LIMIT), or lower PARLEY_WEB_CONNECTIONS.",
        )


def _clock(before: datetime, theirs: datetime, after: datetime) -> Iterator[Finding]:
    """`theirs` was told between two looks at ours, which may lie seconds apart on a busy machine."""
    skew = max(before - theirs, theirs - after)
    if skew > SKEW:
        message = f"Its clock and this machine's differ by {skew.total_seconds():.0f} s: live processes look dead."
        yield Finding("database", Status.FAIL, message, "Let both take their time from the same NTP servers.")


# --- Redis ------------------------------------------------------------------------------------------------------------


def redis_server() -> Iterator[Finding]:
    facts = cast(dict[str, Any], redis.client().info())
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = str(facts.get("valkey_version") or facts["redis_version"])
    wrong = [*_old_redis(name, version), *_forgetful_redis(facts)]
    yield from wrong
    if not wrong:
        yield Finding("redis", Status.OK, f"{name} {version}.")


def _old_redis(name: str, version: str) -> Iterator[Finding]:
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_REDIS:
        yield Finding("redis", Status.FAIL, f"It is {name} {version}.", "Upgrade it to 7 or newer.")


def _forgetful_redis(facts: dict[str, Any]) -> Iterator[Finding]:
    policy, most = facts.get("maxmemory_policy", "noeviction"), int(facts.get("maxmemory", 0))
    if most and policy != "noeviction":
        message = f"With maxmemory-policy {policy} it forgets jobs when its memory is full."
        yield Finding("redis", Status.FAIL, message, "Set maxmemory-policy noeviction.")
    if most and int(facts["used_memory"]) > 0.9 * most:
        yield Finding("redis", Status.WARN, "Its memory is nearly full.", "Raise maxmemory.")
    if facts.get("role") == "slave":
        yield Finding("redis", Status.FAIL, "It is a replica, and takes no writes.", "Name the primary in REDIS_URL.")


# --- This machine -----------------------------------------------------------------------------------------------------


def disks() -> Iterator[Finding]:
    """Each file system once, under the first setting that lies on it."""
    named = {
        "PARLEY_DATA": settings.DATA,
        "PARLEY_ARTIFACTS": settings.ARTIFACTS_DIR,
        "PARLEY_JOBS": settings.JOBS_DIR,
        "PARLEY_SERVERS": settings.SERVERS_DIR,
        "PARLEY_RASA": settings.RASA_DIR,
    }
    seen: set[int] = set()
    for setting, folder in named.items():
        # Unlike its own exists(), this says no also of a path that may not be looked at.
        there = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
        if not os.access(there, os.W_OK | os.X_OK):
            yield _closed(setting)
        elif there.stat().st_dev not in seen:
            seen.add(there.stat().st_dev)
            yield _room_on(setting, there)


def _closed(setting: str) -> Finding:
    """A Rasa that came with an image is only read."""
    message = f"{setting} cannot be written to"
    if setting == "PARLEY_RASA" and (there := Runtimes(settings.RASA_DIR).installed()):
        return Finding("disk", Status.OK, f"{message}. Rasa {', '.join(there)} is there; no other can be added.")
    mend = f"Give the user that runs Parley the right, or change {setting}."
    return Finding("disk", Status.FAIL, f"{message}.", mend)


def _room_on(setting: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    message = f"{size(free)} are free where {setting} is."
    if free >= FEW_BYTES:
        return Finding("disk", Status.OK, message)
    status = Status.FAIL if free < TOO_FEW_BYTES else Status.WARN
    return Finding("disk", status, message, "A Rasa takes 3 GB, a training may take some more. Make room.")
