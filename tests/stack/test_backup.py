"""The drill: an installation is backed up while people upload and delete, restored elsewhere, and used there.

From the embedded PostgreSQL and a folder to the system's PostgreSQL and S3, and from there back.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import requests
from django.conf import settings as django_settings

from studio.embedded import child, keys
from studio.embedded.ports import free_port
from tests.docs.pages import block_of, with_ours
from tests.embedded.installation import open_folder
from tests.models_app.archives import model_archive
from tests.stack import debian_postgres
from tests.stack.s3 import S3Server
from tests.stack.stage import Stage, stage

pytestmark = pytest.mark.stack

TO_FOLDER, TO_BUCKET = block_of("docs/operations.md", "manage.py backup").splitlines()
PASSWORD = "correct horse battery"
AUDIT_OWNER = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'audit_auditevent'"
ARCHIVES = 6  # before the first backup


class House:
    """An installation: its variables, and its web when it is started."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**environment, "PORT": str(free_port()), "PARLEY_WEB_WORKERS": "1", "PARLEY_STARTER": "0"}
        self.environment |= {"PARLEY_ADMIN_PASSWORD": PASSWORD, "PARLEY_LOG_LEVEL": "WARNING"}
        self.web: subprocess.Popen[bytes] | None = None
        self.session = requests.Session()

    def manage(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=400)
        return process.returncode, said

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=django_settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def does(self, *arguments: str) -> str:
        code, said = self.manage(*arguments)
        assert code == 0, said
        return said

    def types(self, line: str, example: str, ours: str) -> str:
        """A line of the documentation, with our place in that of its example."""
        _manage, *arguments = shlex.split(with_ours(line, {example: ours}), comments=True)
        return self.does(*arguments)

    @contextmanager
    def serving(self) -> Iterator[None]:
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", sys.executable, "-m", "gunicorn"]
        command += ["--config", "studio/gunicorn_conf.py", "studio.wsgi:application"]
        self.web = subprocess.Popen(command, cwd=django_settings.BASE_DIR, env=self.environment)
        try:
            self._sign_in()
            yield
        finally:
            self.web.send_signal(signal.SIGTERM)
            self.web.wait(30)

    def _sign_in(self) -> None:
        until = time.monotonic() + 180
        while True:
            with suppress(requests.ConnectionError):
                answer = self.session.post(f"{self.api}/auth", json={"username": "admin", "password": PASSWORD})
                answer.raise_for_status()
                self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
                return
            assert time.monotonic() < until
            time.sleep(0.2)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}/api"

    def upload(self, number: int, size: int = 300_000) -> None:
        content = model_archive((f"components/{number}.bin", os.urandom(size)))
        answer = self.session.put(f"{self.api}/projects/default/models/m{number:04}", data=content)
        assert answer.status_code == 201, answer.text

    def delete(self, number: int) -> None:
        answer = self.session.delete(f"{self.api}/projects/default/models/m{number:04}")
        assert answer.status_code == 204, answer.text

    def download(self, name: str) -> str:
        answer = self.session.get(f"{self.api}/projects/default/models/{name}")
        assert answer.status_code == 200, answer.text
        return hashlib.sha256(answer.content).hexdigest()

    def rows(self, query: str) -> list[tuple]:
        with psycopg.connect(self.environment["DATABASE_URL"]) as session:
            return session.execute(query).fetchall()  # type: ignore[call-overload]

    def models(self) -> dict[str, str]:
        return dict(self.rows("SELECT name, artifact_id FROM models_app_model WHERE deleted_at IS NULL"))

    def counts(self, manifest: dict) -> dict[str, int]:
        names = {table: '"{}"."{}"'.format(*table.split(".", 1)) for table in manifest["rows"]}
        return {table: self.rows(f"SELECT count(*) FROM {name}")[0][0] for table, name in names.items()}

    def can_be_used(self) -> None:
        """People sign in, every model can be had byte by byte, and more can be added."""
        with self.serving():
            for name, sha256 in self.models().items():
                assert self.download(name) == sha256
            self.upload(9000)
            self.delete(9000)


@contextmanager
def traffic(house: House, first: int) -> Iterator[None]:
    """Uploads and deletions without a pause."""
    stop, failures = threading.Event(), []

    def work() -> None:
        number = first
        try:
            while not stop.is_set():
                house.upload(number)
                house.delete(number - 1 if number > first else first - 1)
                number += 1
        except Exception as error:  # noqa: BLE001 - said by the test
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not failures, failures


@pytest.fixture(scope="module")
def open_root() -> Iterator[Path]:
    folder = open_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def house(embedded) -> House:
    """In use: a model in production, its environment's roles, and two secrets that only the keys open."""
    made = House(embedded.environment)
    made.does("bootstrap")
    with made.serving():
        made.upload(0, size=60 * 1024 * 1024)
    made.does(
        "shell",
        "-v0",
        "-c",
        "from environments.models import Environment\n"
        "from environments.services.database import ensure_intake\n"
        "assert ensure_intake(Environment.objects.get(name='production')) is not None\n",
    )
    return made


@pytest.fixture(scope="module")
def nightly(house, tmp_path_factory) -> Path:
    """A backup made in the middle of its work."""
    folder = tmp_path_factory.mktemp("backups") / "nightly"
    with in_use(house, first=1):
        said = house.types(TO_FOLDER, "/srv/backups/2026-03-01", str(folder))
    assert "It holds no keys" in said
    return folder


@pytest.fixture(scope="module")
def other_postgres(open_root) -> Iterator[tuple[str, str]]:
    with debian_postgres.running(open_root / "postgres") as addresses:
        yield addresses


@pytest.fixture(scope="module")
def real(house, nightly, other_postgres, s3_of_the_run, tmp_path_factory) -> House:
    """The same, restored on the system's PostgreSQL and S3; the keys are the same, because the operator kept them."""
    s3_of_the_run.ensure_running()
    bucket = {"PARLEY_S3_BUCKET": s3_of_the_run.make_bucket(), **s3_variables(s3_of_the_run, "PARLEY_S3")}
    data = tmp_path_factory.mktemp("real")
    made = House(house.environment | bucket | {"DATABASE_URL": other_postgres[0], "PARLEY_DATA": str(data)})
    said = made.does("restore", str(nightly))
    assert "1 environments have their roles" in said and "cannot be opened" not in said
    assert made.counts(manifest_of(nightly)) == manifest_of(nightly)["rows"]
    return made


def s3_variables(s3: S3Server, prefix: str) -> dict[str, str]:
    place = s3.place()
    return {
        f"{prefix}_ENDPOINT": place.endpoint or "",
        f"{prefix}_ACCESS_KEY_ID": place.access_key,
        f"{prefix}_SECRET_ACCESS_KEY": place.secret_key,
    }


@contextmanager
def in_use(house: House, *, first: int) -> Iterator[None]:
    with house.serving():
        for number in range(first, first + ARCHIVES):
            house.upload(number)
        with traffic(house, first + ARCHIVES):
            yield


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def damage(artifacts: Path, wanted: set[str]) -> None:
    """Of the files that a backup has, one is cut short, one has another byte, and the others are gone."""
    cut, changed, *others = sorted(path for path in artifacts.glob("??/*") if path.name in wanted)
    os.truncate(cut, cut.stat().st_size - 1)
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for path in others:
        path.unlink()


class TestMadeWhilePeopleWork:
    def test_every_part_is_what_the_manifest_says(self, nightly) -> None:
        manifest = manifest_of(nightly)
        assert manifest["missing"] == [] and len(manifest["artifacts"]) >= ARCHIVES
        for one in [manifest["database"], *manifest["artifacts"]]:
            content = (nightly / "parts" / one["sha256"][:2] / one["sha256"]).read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["size"])

    def test_nobody_else_may_read_it_and_no_key_is_in_it(self, nightly, house) -> None:
        assert nightly.stat().st_mode & 0o777 == 0o700
        secrets = [house.environment["PARLEY_SECRET_KEY"], house.environment["PARLEY_ENCRYPTION_KEYS"]]
        for path in files_of(nightly):
            assert not any(secret.encode() in path.read_bytes() for secret in secrets)

    def test_it_is_not_overwritten(self, nightly, house) -> None:
        before = {path: path.stat().st_mtime_ns for path in files_of(nightly)}
        code, said = house.manage("backup", str(nightly))
        assert code == 1 and "none is overwritten" in said
        assert {path: path.stat().st_mtime_ns for path in files_of(nightly)} == before

    def test_nor_is_anything_else(self, house, tmp_path) -> None:
        (tmp_path / "letters").write_text("Dear Ann")
        code, said = house.manage("backup", str(tmp_path))
        assert code == 1 and "There are other things at" in said and "letters" in said
        assert [path.name for path in tmp_path.iterdir()] == ["letters"]

    def test_a_killed_one_is_none_and_goes_on(self, house, tmp_path) -> None:
        folder = tmp_path / "killed"
        process = house.start("backup", str(folder))
        wait_for(lambda: any(folder.glob("parts/??/*")))
        process.kill()
        process.communicate(timeout=30)
        code, said = house.manage("restore", str(folder), "--replace")
        assert code == 1 and "There is no whole backup" in said
        kept = set(folder.glob("parts/??/*"))
        house.does("backup", str(folder))
        assert kept <= set(folder.glob("parts/??/*")) and manifest_of(folder)["missing"] == []


class TestRestored:
    def test_on_the_real_parts_everything_is_had_and_used(self, real, nightly) -> None:
        models = real.models()
        assert set(models.values()) <= {one["sha256"] for one in manifest_of(nightly)["artifacts"]}
        assert len(models) >= ARCHIVES
        assert real.does("migrate", "--check") == "The database is up to date.\n"
        real.can_be_used()
        assert real.rows(AUDIT_OWNER) == [("parley_audit",)]

    def test_and_back_by_a_bucket_of_another_server(self, real, house, s3_of_the_run, embedded) -> None:
        place = f"s3://{s3_of_the_run.make_bucket()}/backups/second"
        with in_use(real, first=5000):
            said = real.types(TO_BUCKET, "s3://backups/parley/2026-03-01", place)
        assert "It holds no keys" in said
        code, said = real.manage("backup", place)
        assert code == 1 and "none is overwritten" in said
        back = House(house.environment | s3_variables(s3_of_the_run, "PARLEY_BACKUP_S3"))
        code, said = back.manage("restore", place)
        assert code == 1 and "is not empty" in said and "--replace" in said
        damage(embedded.services.folders.data / "artifacts", set(real.models().values()))
        back.does("restore", place, "--replace")
        assert "m5000" in back.models()
        back.can_be_used()

    def test_a_killed_restore_leaves_the_database_as_it_was(self, real, nightly, other_postgres) -> None:
        before = real.models()
        process = real.start("restore", str(nightly), "--replace")
        with psycopg.connect(other_postgres[1], autocommit=True) as session:
            restoring = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'parley backup'"
            wait_for(lambda: session.execute(restoring).fetchone() == (1,))
            process.kill()
            process.communicate(timeout=30)
            wait_for(lambda: session.execute(restoring).fetchone() == (0,))
        assert real.models() == before
        real.does("restore", str(nightly), "--replace")
        assert real.counts(manifest_of(nightly)) == manifest_of(nightly)["rows"]

    def test_one_that_is_killed_right_after_its_commit_is_whole(self, real, nightly) -> None:
        """Nothing of the audit log waits for what comes later: its numbers go on, and it has its owner."""
        code, said = restored_with(real, nightly, "restoring._refuse_other_rows = lambda manifest: os._exit(9)")
        assert code == 9, said
        assert real.rows(AUDIT_OWNER) == [("parley_audit",)]
        real.can_be_used()

    def test_who_comes_while_models_are_brought_is_seen(self, real, nightly) -> None:
        before, address = real.models(), real.environment["DATABASE_URL"]
        come = f"restoring._bring_models = lambda *arguments: came.append(psycopg.connect({address!r}))"
        code, said = restored_with(real, nightly, come)
        assert code == 1 and "1 other connections use the database" in said
        assert "Nothing was changed in the database." in said and real.models() == before

    def test_who_comes_later_still_is_not_waited_for_for_ever(self, real, nightly) -> None:
        before = real.models()
        with psycopg.connect(real.environment["DATABASE_URL"]) as session:
            session.execute("LOCK TABLE access_user IN ACCESS SHARE MODE")
            code, said = restored_with(real, nightly, "restoring._refuse_others = lambda unchanged: None")
        assert code == 1 and "canceling statement due to lock timeout" in said
        assert real.models() == before


class TestRefused:
    """Nothing is touched."""

    def refused(self, house: House, place: Path, *options: str) -> str:
        before = house.models()
        code, said = house.manage("restore", str(place), *options)
        assert code == 1, said
        assert "Nothing was changed" in said
        assert house.models() == before
        return said

    def test_with_other_keys(self, real, nightly) -> None:
        other = House(
            real.environment | {"PARLEY_SECRET_KEY": "x" * 40, "PARLEY_ENCRYPTION_KEYS": keys.encryption_key()}
        )
        said = self.refused(other, nightly, "--replace")
        assert "PARLEY_SECRET_KEY is another" in said and "PARLEY_ENCRYPTION_KEYS lacks 1 of 1 keys" in said

    @pytest.mark.parametrize("harm", ["damaged", "missing"])
    def test_one_with_a_part_that_is_not_whole(self, real, nightly, tmp_path, harm) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(nightly, copy)
        sha256 = manifest_of(copy)["artifacts"][2]["sha256"]
        part = copy / "parts" / sha256[:2] / sha256
        if harm == "missing":
            part.unlink()
        else:
            part.write_bytes(b"\0" + part.read_bytes()[1:])
        assert f"{sha256} of the backup is {harm}" in self.refused(real, copy, "--replace")

    def test_one_of_a_newer_version(self, real, nightly, tmp_path) -> None:
        manifest = manifest_of(nightly)
        manifest["migrations"].append(["conversations", "9999_of_the_next_version"])
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        assert "conversations.9999_of_the_next_version" in self.refused(real, tmp_path, "--replace")

    def test_one_that_no_program_here_reads(self, real, nightly, tmp_path) -> None:
        """Nor is a model brought."""
        (tmp_path / "manifest.json").write_text(json.dumps(manifest_of(nightly) | {"made_by": 99}))
        own = House(real.environment | {"PARLEY_S3_PREFIX": "unread/"})
        assert "pg_dump, pg_restore and psql of PostgreSQL 99" in self.refused(own, tmp_path, "--replace")

    @pytest.mark.parametrize("role", ["its own", "another"])
    def test_while_something_runs(self, real, nightly, other_postgres, role) -> None:
        """Of a session of another role PostgreSQL tells no more than that it is there."""
        address = real.environment["DATABASE_URL"] if role == "its own" else other_postgres[1]
        with psycopg.connect(address, dbname=debian_postgres.OWNER):
            assert "1 other connections use the database" in self.refused(real, nightly, "--replace")


class TestSharedStore:
    """A new database beside a store that somebody uses: its sweep would delete what only the other's rows need."""

    @pytest.fixture
    def beside(self, real, other_postgres) -> Iterator[House]:
        with psycopg.connect(other_postgres[1], autocommit=True) as session:
            session.execute(f"CREATE DATABASE beside OWNER {debian_postgres.OWNER}")
        address = real.environment["DATABASE_URL"].rsplit("/", 1)[0] + "/beside"
        yield House(real.environment | {"DATABASE_URL": address})
        with psycopg.connect(other_postgres[1], autocommit=True) as session:
            session.execute("DROP DATABASE beside WITH (FORCE)")

    def test_it_is_refused_with_the_two_ways_on(self, beside, nightly) -> None:
        code, said = beside.manage("restore", str(nightly))
        assert code == 1 and "holds files that this database does not know" in said
        assert "PARLEY_S3_PREFIX" in said and "--same-store" in said and "Nothing was changed." in said
        assert beside.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]

    def test_nor_does_an_empty_installation_take_it_over(self, beside, nightly) -> None:
        beside.does("migrate", "-v0")
        code, said = beside.manage("restore", str(nightly), "--replace")
        assert code == 1 and "holds files that this database does not know" in said

    def test_who_says_that_it_is_its_own_gets_it(self, beside, nightly) -> None:
        beside.does("restore", str(nightly), "--same-store")
        assert beside.counts(manifest_of(nightly)) == manifest_of(nightly)["rows"]

    def test_one_that_did_not_end_is_run_again(self, beside, nightly) -> None:
        """The models are in the store, and the database is empty still."""
        own = House(beside.environment | {"PARLEY_S3_PREFIX": "again/"})
        code, said = restored_with(own, nightly, "restoring.load = lambda *arguments, **options: os._exit(9)")
        assert code == 9, said
        assert own.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        own.does("restore", str(nightly))
        assert own.counts(manifest_of(nightly)) == manifest_of(nightly)["rows"]
        assert own.rows("SELECT to_regnamespace('parley_restoring')::text") == [(None,)]

    def test_a_prefix_of_its_own_is_empty(self, beside, nightly) -> None:
        own = House(beside.environment | {"PARLEY_S3_PREFIX": "beside/"})
        own.does("restore", str(nightly))
        own.can_be_used()


class TestOtherKeys:
    def test_all_but_the_secrets_comes_back_and_environments_get_new_passwords(self, real, nightly) -> None:
        changed = {"PARLEY_SECRET_KEY": "y" * 40, "PARLEY_ENCRYPTION_KEYS": keys.encryption_key()}
        other = House(real.environment | changed)
        said = other.does("restore", str(nightly), "--replace", "--other-keys")
        assert "1 environments have their roles" in said and "Traceback" not in said
        assert "stored secrets cannot be opened" in said
        other.does(
            "shell",
            "-v0",
            "-c",
            "import psycopg\n"
            "from environments.models import Environment\n"
            "from environments.services.database import events_access\n"
            "made = events_access(Environment.objects.get(name='production'))\n"
            "with psycopg.connect(host=made.host, port=made.port, dbname=made.name, user=made.username,"
            " password=made.password) as session:\n"
            "    session.execute('INSERT INTO events (sender_id) VALUES (1)')\n"
            "    session.rollback()\n",
        )
        other.can_be_used()


def restored_with(house: House, place: Path, change: str) -> tuple[int, str]:
    """A restore in a process where one thing happens otherwise."""
    lines = [
        "import os, psycopg",
        "from models_app.backup import places, restoring",
        "came = []",
        change,
        f"place = places.place_at({str(place)!r})",
        "restoring.restore(place, replaces=True, other_keys=False, tell=lambda progress: None)",
    ]
    return house.manage("shell", "-v0", "-c", "\n".join(lines))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.002)
