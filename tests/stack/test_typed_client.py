"""A client with types, tests/stack/typed_client/main.go: numbers stay numbers, and no list is null."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from models_app.services.assistants import DEFAULT_SLUG
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_person, store_events
from tests.models_app.archives import model_archive
from tests.models_app.test_upload_live import Server, running
from tests.stack.programs import need

__all__ = ["running"]

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
SOURCE = Path(__file__).parent / "typed_client" / "main.go"
PASSWORD = "correct-horse-battery"


def test_a_go_program_for_rasa_enterprise_decodes_every_answer(running: Server, tmp_path: Path) -> None:
    need("go", "golang-go (Go 1.21 or newer)")
    assistant = make_assistant(slug=DEFAULT_SLUG)
    person = make_person("admin", username="ci")
    person.set_password(PASSWORD)
    person.save()
    store_events(environment_of(assistant), *small_talk(sender="anna"))
    archive = tmp_path / "calm-otter.tar.gz"
    archive.write_bytes(model_archive())
    address = f"http://127.0.0.1:{running.port}"
    command = ["go", "run", str(SOURCE), address, "ci", PASSWORD, str(archive)]
    environment = {**os.environ, "GO111MODULE": "off"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert "null" not in ended.stdout
    assert (found["Health"]["production"]["status"], found["Version"]["enterprise"]) == (503, True)
    (model,) = found["Models"]
    assert (model["model"], model["tags"], model["version"]) == ("calm-otter", ["production"], "3.6.21")
    assert model["trained_at"] > 1_700_000_000
    assert {one["name"]: one["url"] for one in found["Environments"]} == {
        "production": "",
        "worker": "http://rasa-worker.example.com:5005",
    }
    (conversation,) = found["Conversations"]
    assert (conversation["sender_id"], conversation["n_user_messages"] > 0) == ("anna", True)
