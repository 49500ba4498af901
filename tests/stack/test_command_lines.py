"""What `ps` shows to every user of the machine while Parley works: no secret of its settings."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psutil
import psycopg
import pytest
from django.conf import settings

from studio.embedded import keys
from studio.embedded.ports import free_port
from tests.embedded.installation import open_folder
from tests.stack import debian_postgres
from tests.stack.programs import eventually
from tests.stack.stage import PATIENCE, Stage, stage
from tests.stack.test_schema import PROCESSES, answers, start

pytestmark = pytest.mark.stack

TOKENS = ("PARLEY_METRICS_TOKEN", "RASA_X_TOKEN", "PARLEY_OIDC_CLIENT_SECRET", "PARLEY_BACKUP_S3_SECRET_ACCESS_KEY")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Its password of PostgreSQL stands in the query of DATABASE_URL."""
    with stage(tmp_path_factory.mktemp("stage")) as made:
        made.environment |= {"PORT": str(free_port()), "PARLEY_WEB_WORKERS": "1"}
        made.environment |= {name: keys.password() for name in TOKENS}
        made.environment |= {"PARLEY_BACKUP_S3_ACCESS_KEY_ID": "backups"}
        url = urlsplit(made.database)
        query = f"{url.query}&user={url.username}&password={url.password}"
        made.environment["DATABASE_URL"] = urlunsplit((url.scheme, "", url.path, query, ""))
        yield made


def secrets_of(house: Stage) -> set[str]:
    names = (*TOKENS, "PARLEY_SECRET_KEY", "PARLEY_ENCRYPTION_KEYS")
    (password,) = parse_qs(urlsplit(house.environment["DATABASE_URL"]).query)["password"]
    return {password, *(house.environment[name] for name in names)}


def command_lines(process: "subprocess.Popen[str]") -> list[str]:
    """Of one that we started, and of what it has started; other tests' are none of ours."""
    lines = []
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid)
        for one in [started, *started.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                lines.append(" ".join(one.cmdline()))
    return lines


def look(process: "subprocess.Popen[str]", *words: str) -> list[str]:
    """The first lines of `process` and its descendants of which one has all `words`."""
    found: list[list[str]] = []

    def is_there() -> bool:
        lines = command_lines(process)
        if any(all(word in line for word in words) for line in lines):
            found.append(lines)
        return bool(found)

    eventually(is_there, PATIENCE)
    return found[0]


def test_our_processes(house) -> None:
    started = {name: start(house, arguments) for name, arguments in PROCESSES.items()}
    kinds = "SELECT array_agg(DISTINCT kind::text ORDER BY kind::text) FROM jobs_heartbeat"
    eventually(lambda: house.one(kinds) == ["background-worker", "controller", "ingest", "schedule"], PATIENCE)
    eventually(lambda: answers(house, "healthz"), PATIENCE)
    lines = {name: look(process, *PROCESSES[name][:2]) for name, process in started.items()}
    for process in started.values():
        process.kill()
        process.communicate(timeout=20)
    assert len(lines["web"]) > 1  # gunicorn has its worker
    assert not [line for seen in lines.values() for line in seen if any(secret in line for secret in secrets_of(house))]


def test_a_backup(house, tmp_path) -> None:
    """pg_dump is kept waiting by a table that somebody has, so that it can be looked at."""
    with psycopg.connect(house.database) as session:
        session.execute("LOCK TABLE access_user IN ACCESS EXCLUSIVE MODE")
        process = start(house, ["manage.py", "backup", str(tmp_path / "backup")])
        lines = look(process, "pg_dump", "--dbname")
        process.kill()
        process.communicate(timeout=20)
    assert not [line for line in lines if any(secret in line for secret in secrets_of(house))]


class TestRolesOfCompose:
    """deploy/compose/postgres/10-roles.sh, as the image of PostgreSQL runs it."""

    ROLES = {
        "database": ("parley", "parley"),
        "keycloak_database": ("keycloak", "keycloak"),
        "rasa_database": ("rasa", "rasa_worker"),
    }

    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        """With the secrets, the script that reads them, and a psql that writes down what it is started with."""
        for role in self.ROLES:
            (tmp_path / f"{role}_password").write_text(f'it\'s "{keys.password()}" \\ of :{role}\n')
        script = (settings.BASE_DIR / "deploy/compose/postgres/10-roles.sh").read_text()
        (tmp_path / "10-roles.sh").write_text(script.replace("/run/secrets", str(tmp_path)))
        real = sorted(debian_postgres.FOLDERS.glob("*/bin/psql"))[0]
        recording = tmp_path / "psql"
        recording.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/arguments"\nexec {real} "$@"\n')
        recording.chmod(0o755)
        return tmp_path

    @pytest.fixture
    def admin(self) -> Iterator[str]:
        """The address of a PostgreSQL without the role."""
        root = open_folder()
        with debian_postgres.running(root / "postgres") as (_, address):
            with psycopg.connect(address, autocommit=True) as session:
                session.execute("DROP DATABASE parley")
                session.execute("DROP ROLE parley")
            yield address
        shutil.rmtree(root, ignore_errors=True)

    def test_passwords_are_set_and_stand_on_no_command_line(self, folder, admin) -> None:
        url = urlsplit(admin)
        reach = {"PGHOST": "127.0.0.1", "PGPORT": str(url.port), "PGPASSWORD": str(url.password)}
        environment = {**os.environ, **reach, "PATH": f"{folder}:{os.environ['PATH']}"}
        subprocess.run(["bash", str(folder / "10-roles.sh")], env=environment, check=True, timeout=60)
        arguments = (folder / "arguments").read_text()
        for role, (user, database) in self.ROLES.items():
            password = (folder / f"{role}_password").read_text().strip()
            assert password not in arguments and "ON_ERROR_STOP" in arguments
            psycopg.connect(admin, user=user, password=password, dbname=database).close()
