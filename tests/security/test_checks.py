"""Unsafe combinations of settings are refused before the first request, each with what to do about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as real
from django.db import connection

from studio import checks
from studio.audit import ownership

SAFE = {
    "PUBLIC_URL": "https://parley.example.com",
    "DEBUG": False,
    "SECRET_KEY": "k" * 64,
    "ALLOWED_HOSTS": ["parley.example.com"],
    "SECURE_COOKIES": True,
    "TRUSTED_PROXIES": 1,
    "RASA_HOSTS": ["rasa.internal", "10.0.0.0/8"],
    "RASA_X_TOKEN": "",
    "OIDC_ISSUER": "https://id.example.com/realms/parley",
}


@pytest.fixture
def configured(settings):
    def set_to(**changes: object) -> list[str]:
        for name, value in {**SAFE, **changes}.items():
            setattr(settings, name, value)
        found = checks.unsafe_settings()
        assert all(message.hint for message in found)
        return [message.id for message in found]

    return set_to


def test_a_safe_combination_is_quiet(configured) -> None:
    assert configured() == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"PUBLIC_URL": "parley.example.com"}, "parley.E001"),
        ({"PUBLIC_URL": "https://example.com/parley"}, "parley.E001"),
        ({"DEBUG": True}, "parley.E002"),
        ({"SECRET_KEY": "short"}, "parley.E003"),
        ({"ENCRYPTION_KEYS": []}, "parley.E004"),
        ({"ENCRYPTION_KEYS": [*real.ENCRYPTION_KEYS, "garbage"]}, "parley.E004"),
        ({"ALLOWED_HOSTS": ["*"]}, "parley.E005"),
        ({"RASA_HOSTS": ["*"]}, "parley.E006"),
        ({"RASA_HOSTS": ["*.*"]}, "parley.E006"),
        ({"RASA_HOSTS": ["rasa", "0.0.0.0/0"]}, "parley.E006"),
        ({"RASA_HOSTS": ["::/0"]}, "parley.E006"),
        ({"OIDC_ISSUER": "http://id.example.com/realms/parley"}, "parley.E007"),
        ({"SECRET_KEY": "change-me" * 5}, "parley.E008"),
        ({"S3_SECRET_ACCESS_KEY": "example-of-a-secret"}, "parley.E008"),
        ({"BACKUP_S3_SECRET_ACCESS_KEY": "change_me"}, "parley.E008"),
        ({"METRICS_TOKEN": "placeholder-for-prometheus"}, "parley.E008"),
        ({"RASA_X_TOKEN": "Changeme-changeme"}, "parley.E008"),
        ({"ADMIN_PASSWORD": "password"}, "parley.E008"),
        ({"OIDC_CLIENT_SECRET": "secret"}, "parley.E008"),
        ({"REDIS_URL": "redis://:insecure@redis:6379/0"}, "parley.E008"),
        ({"PUBLIC_URL": "http://parley.internal", "SECURE_COOKIES": False}, "parley.W004"),
        ({"TRUSTED_PROXIES": 0}, "parley.W005"),
        ({"RASA_X_TOKEN": "short"}, "parley.W006"),
    ],
)
def test_an_unsafe_one_is_named(configured, changes, found) -> None:
    assert found in configured(**changes)


def test_a_password_of_the_database_that_everybody_knows_is_named(configured, settings, monkeypatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "postgres")
    assert "parley.E008" in configured()


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_a_developers_machine_may_debug(configured, url) -> None:
    issuer = "http://localhost:8080/realms/parley"
    assert configured(PUBLIC_URL=url, DEBUG=True, SECRET_KEY="x", SECURE_COOKIES=False, OIDC_ISSUER=issuer) == []


@pytest.mark.parametrize("url", ["http://localhost.example.com", "http://127.0.0.1.nip.io", "http://10.0.0.1"])
def test_what_only_looks_like_this_machine_is_not(url) -> None:
    assert not checks.on_this_machine(url)


def environment(**changes: str) -> dict[str, str]:
    # A folder of its own: no run/parley.env of an installation fills what is missing.
    kept = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "PARLEY_ENCRYPTION_KEYS", "PARLEY_DATA")}
    kept["PATH"] = os.environ["PATH"]
    return {**kept, "PARLEY_SECRET_KEY": "0123456789abcdef" * 4, "PARLEY_URL": "https://parley.example.com", **changes}


def run(*command: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        cwd=Path(real.BASE_DIR),
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_djangos_own_checks_find_nothing_in_a_production_setting() -> None:
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", PARLEY_TRUSTED_PROXIES="1")
    assert (result.returncode, "no issues" in result.stdout) == (0, True), result.stderr


def test_the_web_does_not_start_on_an_unsafe_combination() -> None:
    gunicorn = ("-m", "gunicorn", "-c", "studio/gunicorn_conf.py", "-b", "127.0.0.1:0", "studio.wsgi")
    result = run(*gunicorn, PARLEY_DEBUG="1")
    assert result.returncode == 3
    assert "parley.E002" in result.stderr and "Set PARLEY_DEBUG=0" in result.stderr


def test_no_command_runs_on_an_unsafe_combination() -> None:
    result = run("manage.py", "schedule", PARLEY_ALLOWED_HOSTS="*")
    assert result.returncode == 1 and "parley.E005" in result.stderr


@pytest.mark.django_db
def test_the_audit_table_is_closed_and_the_check_says_so_when_it_is_not() -> None:
    assert checks.audit_table(databases=["default"]) == []
    with connection.schema_editor() as editor:
        ownership.open_for_change(None, editor)
    [warning] = checks.audit_table(databases=["default"])
    assert "OWNER TO" in warning.hint
