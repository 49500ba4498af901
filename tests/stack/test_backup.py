"""The drill: an installation is backed up while people upload and delete, restored elsewhere, and used there.

From the embedded PostgreSQL and a folder to the system's PostgreSQL and S3, and from there back.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import requests
from django.conf import settings as django_settings

from studio.embedded import child
from studio.embedded.ports import free_port
from tests.embedded.installation import open_folder
from tests.models_app.archives import model_archive
from tests.stack import debian_postgres
from tests.stack.s3 import S3Server
from tests.stack.stage import Stage, stage

pytestmark = pytest.mark.stack

PASSWORD = "correct horse battery"
ARCHIVES = 6  # before the first backup
FILLING = os.urandom(300_000)


class House:
    """An installation: its variables, and its web when it is started."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**environment, "PORT": str(free_port()), "PARLEY_WEB_WORKERS": "1", "PARLEY_STARTER": "0"}
        self.environment |= {"PARLEY_ADMIN_PASSWORD": PASSWORD, "PARLEY_LOG_LEVEL": "WARNING"}
        self.web: subprocess.Popen[bytes] | None = None
        self.session = requests.Session()

    def manage(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
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
        until = time.monotonic() + 60
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

    def upload(self, number: int) -> str:
        content = model_archive((f"components/{number}.bin", FILLING + bytes([number % 256])))
        answer = self.session.put(f"{self.api}/projects/default/models/m{number:04}", data=content)
        assert answer.status_code == 201, answer.text
        return hashlib.sha256(content).hexdigest()

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
    import shutil

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
def other_database(open_root) -> Iterator[str]:
    with debian_postgres.running(open_root / "postgres") as address:
        yield address


def in_use(house: House, place: str, *, first: int) -> tuple[dict, str]:
    """Back `house` up in the middle of its work; the backup's manifest is read by the caller."""
    with house.serving():
        for number in range(first, first + ARCHIVES):
            house.upload(number)
        with traffic(house, first + ARCHIVES):
            said = house.does("backup", place)
            time.sleep(0.5)
    return house.models(), said


def counts(manifest: dict, house: House) -> dict[str, int]:
    return {table: house.rows(f"SELECT count(*) FROM {quoted(table)}")[0][0] for table in manifest["rows"]}


def quoted(table: str) -> str:
    schema, _, name = table.partition(".")
    return f'"{schema}"."{name}"'


def is_used(house: House, manifest: dict) -> None:
    """Everything that the backup names can be had, and more can be added."""
    models = house.models()
    assert set(models.values()) <= {one["sha256"] for one in manifest["artifacts"]}
    assert len(models) >= ARCHIVES
    with house.serving():
        for name, sha256 in models.items():
            assert house.download(name) == sha256
        house.upload(9000)
        house.delete(9000)


def keys_are_nowhere(folder: Path, house: House) -> None:
    secrets = [house.environment["PARLEY_SECRET_KEY"], *house.environment["PARLEY_ENCRYPTION_KEYS"].split(",")]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in secrets)


class TestDrill:
    """Each step goes on where the one before ended."""

    folder: Path
    manifest: dict
    real: House

    def test_backed_up_while_people_work(self, house, tmp_path_factory) -> None:
        folder = tmp_path_factory.mktemp("backups") / "nightly"
        _, said = in_use(house, str(folder), first=1)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["missing"] == [] and "It holds no keys" in said
        assert len(manifest["artifacts"]) >= ARCHIVES
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        for one in [manifest["database"], *manifest["artifacts"]]:
            content = (folder / "parts" / one["sha256"][:2] / one["sha256"]).read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["size"])
        keys_are_nowhere(folder, house)
        code, said = house.manage("backup", str(folder))
        assert code == 1 and "none is overwritten" in said
        TestDrill.folder, TestDrill.manifest = folder, manifest

    def test_restored_on_the_real_parts(self, house, other_database, s3_of_the_run, tmp_path_factory) -> None:
        real = TestDrill.real = House(on_real_parts(house, other_database, s3_of_the_run, tmp_path_factory.mktemp("d")))
        said = real.does("restore", str(self.folder))
        assert "1 environments have their roles" in said and "cannot be opened" not in said
        assert counts(self.manifest, real) == self.manifest["rows"]
        assert real.does("migrate", "--check") == "The database is up to date.\n"
        is_used(real, self.manifest)
        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'audit_auditevent'"
        assert real.rows(owner) == [("parley_audit",)]

    def test_and_back(self, house, s3_of_the_run, embedded) -> None:
        place = f"s3://{s3_of_the_run.make_bucket()}/backups/second"
        in_use(self.real, place, first=5000)
        code, said = self.real.manage("backup", place)
        assert code == 1 and "none is overwritten" in said
        back = House(house.environment | s3_variables(s3_of_the_run, "PARLEY_BACKUP_S3"))
        code, said = back.manage("restore", place)
        assert code == 1 and "is not empty" in said and "--replace" in said
        store = embedded.services.folders.data / "artifacts"
        for path in store.glob("??/*"):
            path.unlink()  # all of it comes from the backup
        back.does("restore", place, "--replace")
        assert set(self.real.models()) == set(back.models()) | set(self.real.models()) - set(back.models())
        assert "m5000" in back.models()
        with back.serving():
            for name, sha256 in back.models().items():
                assert back.download(name) == sha256


def on_real_parts(house: House, database: str, s3: S3Server, data: Path) -> dict[str, str]:
    """The keys are the same: the operator kept them."""
    bucket = {"PARLEY_S3_BUCKET": s3.make_bucket(), **s3_variables(s3, "PARLEY_S3")}
    return house.environment | bucket | {"DATABASE_URL": database, "PARLEY_DATA": str(data)}


def s3_variables(s3: S3Server, prefix: str) -> dict[str, str]:
    place = s3.place()
    return {
        f"{prefix}_ENDPOINT": place.endpoint or "",
        f"{prefix}_ACCESS_KEY_ID": place.access_key,
        f"{prefix}_SECRET_ACCESS_KEY": place.secret_key,
    }
