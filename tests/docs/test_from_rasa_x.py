"""Coming from Rasa X: the commands of the page, typed as they stand there, bring what they say."""

import os
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from conversations.models import Conversation
from models_app.models import Assistant, Model
from models_app.services.revisions import newest_revision
from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission
from studio.access.services import tokens
from tests.conversations.events import small_talk
from tests.conversations.test_history import TABLE, rows_of
from tests.docs.pages import CHECKOUT, block_of
from tests.factories import make_assistant, make_person
from tests.models_app.archives import model_archive

PAGE = "docs/from-rasa-x.md"


@pytest.fixture
def assistant(db, tmp_path: Path, monkeypatch) -> Assistant:
    """The folder in which one types has what the page names."""
    shutil.copytree(CHECKOUT / "starter", tmp_path / "my-project")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "brisk-otter.tar.gz").write_bytes(model_archive(model_id="brisk-otter"))
    with sqlite3.connect(tmp_path / "rasa.db") as session:
        session.execute(TABLE)
        insert = "INSERT INTO events (sender_id, type_name, timestamp, data) VALUES (?, ?, ?, ?)"
        session.executemany(insert, rows_of(*small_talk()))
    session.close()
    monkeypatch.chdir(tmp_path)
    return make_assistant("default")


def typed(beginning: str) -> None:
    """Runs `.venv/bin/python manage.py …` of the page in this process, which has the database of the test."""
    python, script, *words = shlex.split(block_of(PAGE, beginning))
    assert (python, script) == (".venv/bin/python", "manage.py")
    call_command(*words)


def test_training_data_becomes_a_revision(assistant: Assistant) -> None:
    typed(".venv/bin/python manage.py import_data")
    assert newest_revision(assistant).message == "From Rasa X"


def test_models_of_a_folder_keep_their_names(assistant: Assistant) -> None:
    typed(".venv/bin/python manage.py import_models")
    assert [model.name for model in Model.objects.filter(assistant=assistant)] == ["brisk-otter"]


def test_history_becomes_conversations_of_production(assistant: Assistant) -> None:
    typed(".venv/bin/python manage.py import_events")
    assert Conversation.objects.get().environment.name == "production"


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_people_of_a_list_are_added_with_their_roles(live_server, redis_client, tmp_path: Path) -> None:
    admin = make_person("admin", username="ada")
    token = tokens.make(
        actor=admin, user=admin, name="move", scope=EVERYWHERE, permissions=list(Permission), expires_at=None
    ).text
    (tmp_path / "people.csv").write_text("mara,annotator\nkim,emperor\nolu,tester")  # no end of the last line
    environment = {"PATH": os.environ["PATH"], "PARLEY_URL": str(live_server), "TOKEN": token}
    lines = block_of(PAGE, "while IFS")
    ended = subprocess.run(
        ["bash", "-e", "-c", lines], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.count("sign_in_link") == 2
    assert "emperor" in ended.stdout and "kim was not added." in ended.stderr
    people = User.objects.exclude(pk=admin.pk).order_by("username")
    assert [(one.username, one.grants.get().role.name) for one in people] == [("mara", "annotator"), ("olu", "tester")]
