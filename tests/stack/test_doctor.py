"""`manage.py doctor` against real parts that work, and against each of them broken in turn."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as django_settings

from conversations.ingest.kafka_settings import KafkaSettings
from studio.embedded.ports import free_port
from tests.stack.programs import eventually
from tests.stack.stage import Stage, stage

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


def doctor(house: Stage, *options: str, **changes: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", *options],
        cwd=django_settings.BASE_DIR,
        env=house.environment | changes,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def found(house: Stage, **changes: str) -> dict[str, list[dict[str, str]]]:
    """By part, what is said of it; everything that is wrong has its mend, and no secret is in it."""
    _code, said = doctor(house, "--json", **changes)
    for name in ("PARLEY_SECRET_KEY", "PARLEY_ENCRYPTION_KEYS", "DATABASE_URL"):
        secret = (house.environment | changes)[name]
        assert secret not in said
    password = house.database.partition(":")[2].partition(":")[2].partition("@")[0]
    assert password and password not in said
    findings = json.loads(said)["findings"]
    assert all(one["mend"] for one in findings if one["status"] != "ok")
    return {name: [one for one in findings if one["about"] == name] for name in {one["about"] for one in findings}}


def statuses(findings: dict[str, list[dict[str, str]]], part: str) -> set[str]:
    return {one["status"] for one in findings[part]}


def live(house: Stage, *kinds: str) -> None:
    house.write("DELETE FROM jobs_heartbeat")
    for kind in kinds:
        house.write(
            "INSERT INTO jobs_heartbeat (kind, name, busy_with, started_at, at) VALUES (%s, 'a:1', '', now(), now() + interval '1 hour')",
            kind,
        )


def test_what_works_is_said_to_work(house) -> None:
    live(house, "schedule", "background-worker", "ingest", "controller", "training-worker", "running-worker")
    parts = found(house)
    for name in ("database", "redis", "artifact store", "schedule", "background worker", "ingest", "single sign-on"):
        assert statuses(parts, name) == {"ok"}, parts[name]
    assert "PostgreSQL 18" in parts["database"][0]["message"] and "up to date" in parts["database"][0]["message"]
    assert not list((house.services.folders.data / "artifacts").glob("??/*"))  # the probe is gone


def test_lines_for_people_and_exit_codes(house) -> None:
    live(house)
    code, said = doctor(house)
    assert code == 1
    assert "FAIL schedule: No schedule process is running" in said and "       Start `manage.py schedule`." in said
    assert "ok   database: PostgreSQL 18" in said


def test_a_database_that_is_away(house) -> None:
    parts = found(house, DATABASE_URL=f"postgresql://a:b-c-d@127.0.0.1:{free_port()}/c")
    assert parts["database"][0]["message"] == "PostgreSQL does not answer."
    assert statuses(parts, "redis") == {"ok"} and statuses(parts, "settings") <= {"ok", "warn"}
    assert parts["schedule"][0]["message"] == "Not known without the database."


def test_a_redis_that_is_away(house) -> None:
    parts = found(house, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert statuses(parts, "redis") == {"fail"} and statuses(parts, "database") == {"ok"}


def test_a_redis_that_forgets_jobs(house) -> None:
    import redis

    with redis.Redis.from_url(house.environment["REDIS_URL"]) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "forgets jobs" in found(house)["redis"][0]["message"]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")


def test_an_older_schema(house) -> None:
    with psycopg.connect(house.database, autocommit=True) as session:
        session.execute("CREATE TABLE kept AS SELECT * FROM django_migrations")
        session.execute("DELETE FROM django_migrations WHERE app = 'jobs'")
        try:
            parts = found(house)
        finally:
            session.execute(
                "INSERT INTO django_migrations OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE app = 'jobs'"
            )
            session.execute("DROP TABLE kept")
    assert statuses(parts, "database") == {"fail"}
    assert "1 migrations are not applied" in parts["database"][0]["message"]
    assert "manage.py migrate" in parts["database"][0]["mend"]


def test_a_folder_that_cannot_be_written_to(house, tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # which stops root too
    parts = found(house, PARLEY_ARTIFACTS=str(tmp_path / "file" / "artifacts"))
    assert statuses(parts, "artifact store") == {"fail"}
    assert any("PARLEY_ARTIFACTS cannot be written to" in one["message"] for one in parts["disk"])


def test_settings_that_contradict_each_other(house) -> None:
    parts = found(house, PARLEY_URL="https://parley.example.com", PARLEY_ALLOWED_HOSTS="*")
    assert any("PARLEY_ALLOWED_HOSTS is *" in one["message"] for one in parts["settings"])


class TestBucket:
    def settings(self, s3, **changes: str) -> dict[str, str]:
        place = s3.place(bucket=changes.pop("bucket", "") or s3.make_bucket())
        return {
            "PARLEY_S3_BUCKET": place.bucket,
            "PARLEY_S3_ENDPOINT": place.endpoint or "",
            "PARLEY_S3_ACCESS_KEY_ID": place.access_key,
            "PARLEY_S3_SECRET_ACCESS_KEY": place.secret_key,
            **changes,
        }

    def test_one_that_works(self, house, s3) -> None:
        wanted = self.settings(s3)
        parts = found(house, **wanted)
        assert statuses(parts, "artifact store") == {"ok"} and wanted["PARLEY_S3_BUCKET"] in str(parts)
        assert not s3.admin.list_objects_v2(Bucket=wanted["PARLEY_S3_BUCKET"]).get("Contents")

    def test_one_that_is_not_there(self, house, s3) -> None:
        parts = found(house, **self.settings(s3, bucket="nowhere-at-all"))
        assert statuses(parts, "artifact store") == {"fail"}
        assert "does not exist" in parts["artifact store"][0]["message"]

    def test_a_wrong_key(self, house, s3) -> None:
        parts = found(house, **self.settings(s3, PARLEY_S3_SECRET_ACCESS_KEY="wrong-and-not-shown"))
        assert statuses(parts, "artifact store") == {"fail"}
        assert "wrong-and-not-shown" not in str(parts)


class TestProvider:
    def test_one_that_works(self, house, keycloak_server) -> None:
        parts = found(house, PARLEY_OIDC_ISSUER=keycloak_server.issuer)
        assert statuses(parts, "single sign-on") == {"ok"}
        assert "usable keys" in parts["single sign-on"][0]["message"]

    def test_an_issuer_written_otherwise(self, house, keycloak_server) -> None:
        parts = found(house, PARLEY_OIDC_ISSUER=f"{keycloak_server.issuer}/")
        assert statuses(parts, "single sign-on") == {"fail"}
        assert "must be written the same" in parts["single sign-on"][0]["message"]

    def test_one_that_is_away(self, house) -> None:
        parts = found(house, PARLEY_OIDC_ISSUER=f"http://127.0.0.1:{free_port()}/realms/none")
        assert statuses(parts, "single sign-on") == {"fail"}


class TestKafka:
    def test_one_that_works_and_one_that_is_away(self, house, kafka) -> None:
        kafka.make_topic("doctor")
        house.add_source(KafkaSettings(servers=(kafka.servers,), topics=("doctor",)))
        eventually(lambda: statuses(found(house), "kafka: Kafka") == {"ok"})
        kafka.stop()
        try:
            parts = found(house)
        finally:
            kafka.start()
        assert statuses(parts, "kafka: Kafka") == {"fail"}
