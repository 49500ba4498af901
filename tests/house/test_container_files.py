"""docker-compose.yml and what it mounts agree with the code, without Docker."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from studio.rasa.files import Database, Env, Kafka, ModelServer, credentials_yml, endpoints_yml
from tests.house.test_settings import CHECKOUT, READING, read_by

COMPOSE: dict[str, Any] = YAML(typ="safe").load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FOUNDATION = {"postgres", "redis", "kafka", "s3", "keycloak"}
OURS = {
    name for name, service in SERVICES.items() if "PARLEY_INTERNAL_URL" in service.get("environment", {})
} - FOUNDATION
NOT_OF_OURS = {
    "PARLEY_KAFKA",
    "PARLEY_AUTHORITY",
    "RASA_PRODUCTION_TOKEN",
    "RASA_WORKER_TOKEN",
}  # read by run.sh and files


def roles() -> set[str]:
    """What run.sh knows by name."""
    text = (CHECKOUT / "deploy/container/run.sh").read_text()
    return {role for line in re.findall(r"^    ([a-z |]+)\)", text, re.MULTILINE) for role in line.split(" | ")}


def test_each_process_of_an_installation_has_its_service() -> None:
    wanted = {
        "web",
        "migrate",
        "worker-training",
        "worker-running",
        "worker-background",
        "ingest",
        "schedule",
        "controller",
    }
    assert wanted == OURS


def test_nothing_but_the_proxy_publishes_a_port() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_ours_wait_for_the_migration() -> None:
    for name in OURS - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_each_service_is_looked_after_and_limited() -> None:
    for name, service in SERVICES.items():
        if name != "migrate":
            assert "healthcheck" in service and service["restart"] == "unless-stopped", name
            assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["cap_drop"] == ["ALL"], name


def test_only_who_says_why_can_write_its_root() -> None:
    assert {name for name, service in SERVICES.items() if not service["read_only"]} == {"kafka", "keycloak"}


def test_every_setting_that_is_given_is_one() -> None:
    known = set().union(*(read_by(path) for path in READING)) | NOT_OF_OURS
    for name in OURS:
        given = {one.removesuffix("_FILE") for one in SERVICES[name]["environment"]}
        assert given <= known, name


def test_secrets_come_as_files_which_the_script_makes() -> None:
    script = (CHECKOUT / "scripts/secrets.sh").read_text()
    for secret, where in COMPOSE["secrets"].items():
        assert where["file"].endswith(f"/{secret}") and re.search(rf"\b{secret}\b", script), secret
    for name, service in SERVICES.items():
        named = {
            Path(value).name
            for value in service.get("environment", {}).values()
            if str(value).startswith("/run/secrets/")
        }
        assert named <= set(service.get("secrets", [])), name


def test_every_role_is_known_to_the_image() -> None:
    commands = {SERVICES[name]["command"][0] for name in OURS | {"rasa-production", "rasa-worker"}}
    assert commands - {"ingest", "schedule", "controller"} <= roles()


@pytest.mark.parametrize("environment", ["production", "worker"])
def test_the_rasa_servers_are_connected_as_the_connection_page_says(environment: str) -> None:
    base = "http://web:8000/api/projects/default"
    written = endpoints_yml(
        models=ModelServer(url=f"{base}/models/tags/{environment}", token=Env("RASA_X_TOKEN")),
        event_broker=Kafka("kafka:9092", partition_by_sender=True),
        tracker_store=Database("postgres", 5432, f"rasa_{environment}", "rasa", Env("RASA_DATABASE_PASSWORD")),
    )
    folder = CHECKOUT / "deploy/compose/rasa"
    assert (folder / f"{environment}.yml").read_text() == written
    channel = credentials_yml(channel_url=f"{base}/environments/{environment}")
    assert (folder / f"{environment}-credentials.yml").read_text() == channel


def test_the_image_takes_no_more_than_what_runs() -> None:
    listed = (CHECKOUT / ".dockerignore").read_text().split("\n*\n")[1]
    taken = set(re.findall(r"^!(\S+)", listed, re.MULTILINE))
    assert all((CHECKOUT / path).exists() for path in taken)
    assert taken.isdisjoint({"tests", "secrets", ".env", "var", ".git"})
