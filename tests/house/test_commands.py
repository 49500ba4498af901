"""Commands that no other suite runs as a whole."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from conversations.models import Conversation
from environments.models import Environment
from studio.access.models import User
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db


def test_prepare_makes_the_first_account_and_can_be_run_again() -> None:
    for _ in range(2):
        call_command("prepare")
    assert [person.username for person in User.objects.all()] == ["admin"]
    assert (settings.STATIC_ROOT / "css/parley.css").exists()


def test_prepare_applies_the_declared_environments_once(settings, tmp_path: Path) -> None:
    path = tmp_path / "environments.yml"
    path.write_text("- {name: staging, kind: connected, url: 'http://rasa:5005'}")
    settings.ENVIRONMENTS_FILE = str(path)
    said = StringIO()
    call_command("prepare", stdout=said)
    assert "default/staging: added" in said.getvalue()
    assert Environment.objects.filter(name="staging").count() == 1


def test_rebuild_conversations_mends_counters() -> None:
    production = environment_of(make_assistant())
    store_events(production, *small_talk())
    right = Conversation.objects.get().events_count
    Conversation.objects.update(events_count=999)
    call_command("rebuild_conversations")
    assert Conversation.objects.get().events_count == right == 8
