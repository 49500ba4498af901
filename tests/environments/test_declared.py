"""Environments declared in a file."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from environments.models import Environment
from environments.services.declared import Declaration, read_file
from studio.crypto import decrypt
from studio.errors import Invalid
from tests.factories import environment_of

pytestmark = pytest.mark.django_db

TWO = """
environments:
  - name: staging
    url: https://rasa.staging.example.com/
    server_token_env: STAGING_TOKEN
  - assistant: default
    name: production
    kind: managed
    action_server_url: http://actions:5055/webhook
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "environments.yml"
        path.write_text(text)
        return str(path)

    return write


def test_what_is_missing_is_added_and_what_is_there_updated(assistant, write, monkeypatch, capsys) -> None:
    monkeypatch.setenv("STAGING_TOKEN", "of-staging")
    call_command("apply_environments", write(TWO))
    staging, production = environment_of(assistant, "staging"), environment_of(assistant)
    assert (staging.kind, staging.url) == ("connected", "https://rasa.staging.example.com")
    assert decrypt(staging.server_token_encrypted) == "of-staging"
    assert (production.kind, production.action_server_url) == ("managed", "http://actions:5055/webhook")
    assert capsys.readouterr().out.splitlines() == ["default/staging: added", "default/production: updated"]


def test_a_token_may_be_in_a_file(assistant, write, monkeypatch, tmp_path) -> None:
    (tmp_path / "token").write_text("of-staging\n")
    monkeypatch.setenv("STAGING_TOKEN_FILE", str(tmp_path / "token"))
    call_command("apply_environments", write(TWO))
    assert decrypt(environment_of(assistant, "staging").server_token_encrypted) == "of-staging"


def test_a_token_file_that_is_not_there_is_named(assistant, write, monkeypatch) -> None:
    monkeypatch.setenv("STAGING_TOKEN_FILE", "/nowhere/token")
    with pytest.raises(CommandError, match="entry 1: STAGING_TOKEN_FILE names /nowhere/token"):
        call_command("apply_environments", write(TWO))


def test_applying_twice_is_applying_once(assistant, write, monkeypatch) -> None:
    monkeypatch.setenv("STAGING_TOKEN", "of-staging")
    call_command("apply_environments", write(TWO))
    call_command("apply_environments", write(TWO))
    assert Environment.objects.filter(assistant=assistant).count() == 3


def test_what_is_not_declared_is_left_alone(assistant, write) -> None:
    call_command("apply_environments", write("[]"))
    assert Environment.objects.filter(assistant=assistant).count() == 2


def test_a_token_that_is_left_out_is_kept(assistant, write) -> None:
    call_command("apply_environments", write("- {name: worker, url: 'http://rasa:5005', server_token: of-worker}"))
    call_command("apply_environments", write("- {name: worker, url: 'http://rasa:5006'}"))
    worker = environment_of(assistant, "worker")
    assert (worker.url, decrypt(worker.server_token_encrypted)) == ("http://rasa:5006", "of-worker")


def test_one_bad_entry_means_that_none_is_applied(assistant, write) -> None:
    text = "- {name: staging, url: 'http://rasa:5005'}\n- {name: other, assistant: nobody}\n"
    with pytest.raises(CommandError, match="there is no assistant nobody"):
        call_command("apply_environments", write(text))
    assert not Environment.objects.filter(name="staging").exists()


def test_json_is_read_as_well(write) -> None:
    assert read_file(Path(write('[{"name": "a", "protected": true}]'))) == [Declaration("a", protected=True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- name: [", "is not YAML"),
        ("name: production", "must hold a list"),
        ("- {url: 'http://rasa'}", "entry 1: give each environment a name"),
        ("- {name: a, adress: x}", "adress is not known"),
        ("- {name: a, kind: unset}", "kind is connected or managed"),
        ("- {name: a, url: 5005}", "every value but protected is a text"),
        ("- {name: a, protected: 'yes'}", "protected is true or false"),
        ("- {name: a, server_token: change-me}", "entry 1: the token of the Rasa server is that of an example"),
        ("- {name: a, server_token_env: NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_place(write, text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_file(Path(write(text)))


def test_a_file_that_is_not_there_is_told(assistant) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply_environments", "/nowhere.yml")


def test_without_a_file_the_setting_is_asked_for(settings) -> None:
    settings.ENVIRONMENTS_FILE = None
    with pytest.raises(CommandError, match="PARLEY_ENVIRONMENTS"):
        call_command("apply_environments")
