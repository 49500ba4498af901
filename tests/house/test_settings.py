"""Every setting that the code reads is in .env.example and docs/settings.md, and those name no other."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio import env

CHECKOUT = Path(__file__).resolve().parent.parent.parent
READING = ("studio/settings.py", "studio/embedded/config.py")
READERS = {"text", "optional", "secret", "flag", "whole", "words", "pairs", "size", "database", "yaml"}


def read_by(path: str) -> set[str]:
    """Names given to the readers of studio/env.py in a module."""
    calls = [node for node in ast.walk(ast.parse((CHECKOUT / path).read_text())) if isinstance(node, ast.Call)]
    readers = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in READERS]
    ours = [call for call in readers if ast.unparse(call.func).startswith("env.")]
    return {call.args[0].value for call in ours if isinstance(call.args[0], ast.Constant)}


def in_example() -> set[str]:
    return set(re.findall(r"^([A-Z0-9_]+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))


def in_compose() -> set[str]:
    """Variables that docker-compose.yml reads from .env."""
    return set(re.findall(r"\$\{([A-Z0-9_]+)", (CHECKOUT / "docker-compose.yml").read_text()))


def in_documentation() -> set[str]:
    return set(re.findall(r"^\| `([A-Z0-9_]+)`", (CHECKOUT / "docs/settings.md").read_text(), re.MULTILINE))


def test_settings_are_found_in_both_modules() -> None:
    assert all(len(read_by(path)) > 5 for path in READING)


@pytest.mark.parametrize("named", [in_example, in_documentation], ids=[".env.example", "docs/settings.md"])
def test_what_is_written_down_is_what_is_read(named: object) -> None:
    assert callable(named)
    assert named() == set().union(in_compose(), *(read_by(path) for path in READING))


def test_each_variable_of_the_example_has_a_comment() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    explained = False
    for line in lines:
        assert explained or "=" not in line or line.startswith("#"), f"{line} has no comment above it"
        explained = line.startswith("# ") or (explained and "=" in line)


def test_the_settings_module_reads_the_environment_through_its_readers_alone() -> None:
    assert "os.environ" not in (CHECKOUT / "studio/settings.py").read_text()


def test_pairs_keep_their_order_and_a_name_may_come_twice(monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_OIDC_ROLE_MAP", " staff=annotator, staff = tester ,,boss=admin")
    assert env.pairs("PARLEY_OIDC_ROLE_MAP") == [("staff", "annotator"), ("staff", "tester"), ("boss", "admin")]


@pytest.mark.parametrize("value", ["staff", "staff=", "=admin"])
def test_half_a_pair_stops_the_start(monkeypatch, value: str) -> None:
    monkeypatch.setenv("PARLEY_OIDC_ROLE_MAP", f"boss=admin,{value}")
    with pytest.raises(env.SettingError, match="expected name=value"):
        env.pairs("PARLEY_OIDC_ROLE_MAP")


def test_settings_by_which_nobody_could_sign_in_stop_the_start() -> None:
    environment = {**os.environ, "PARLEY_LOCAL_SIGN_IN": "0", "PARLEY_OIDC_ISSUER": ""}
    command = [sys.executable, "-c", "import studio.settings"]
    ended = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode and "nobody could sign in" in ended.stderr


@pytest.mark.parametrize("content", [None, "", " \n"], ids=["no file", "empty", "white space"])
def test_a_secret_s_file_without_one_stops_the_start_with_the_command_that_makes_it(
    monkeypatch, tmp_path, content
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("A_SECRET_FILE", str(file))
    with pytest.raises(env.SettingError, match=r"A_SECRET_FILE names .*scripts/secrets\.sh"):
        env.secret("A_SECRET", "")


def test_a_missing_secret_stops_the_start_with_the_command_that_makes_it(monkeypatch) -> None:
    monkeypatch.delenv("PARLEY_SECRET_KEY")
    with pytest.raises(env.SettingError, match=r"PARLEY_SECRET_KEY is not set.*scripts/secrets\.sh"):
        env.secret("PARLEY_SECRET_KEY")


class TestDatabase:
    def read(self, monkeypatch, url: str) -> dict:
        monkeypatch.setenv("A_DATABASE", url)
        return env.database("A_DATABASE")

    def test_a_server_that_is_gone_is_given_up_within_seconds(self, monkeypatch) -> None:
        options = self.read(monkeypatch, "postgresql://ann:of-ann@db/inn")["OPTIONS"]
        assert options["connect_timeout"] == "5" and options["tcp_user_timeout"] == "20000"
        assert int(options["keepalives_idle"]) < 60

    def test_what_the_address_says_itself_counts(self, monkeypatch) -> None:
        found = self.read(monkeypatch, "postgresql://ann@db/inn?connect_timeout=17&keepalives=0&sslmode=require")
        assert found["OPTIONS"]["connect_timeout"] == "17" and found["OPTIONS"]["keepalives"] == "0"
        assert found["OPTIONS"]["sslmode"] == "require"

    def test_who_connects_may_stand_in_its_query(self, monkeypatch) -> None:
        found = self.read(monkeypatch, "postgresql:///inn?host=/run/pg&user=ann&password=of%2Fann")
        assert (found["USER"], found["PASSWORD"], found["HOST"]) == ("ann", "of/ann", "/run/pg")
        assert "password" not in found["OPTIONS"]
