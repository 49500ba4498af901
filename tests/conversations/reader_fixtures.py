"""Anna, who reads a conversation in her browser; imported by name where they are used."""

from collections.abc import Callable

import pytest
from django.test import Client

from conversations.ingest.write import Stored
from conversations.models import Conversation
from studio.access.models import User
from tests.clients import client_of
from tests.conversations.events import small_talk
from tests.factories import make_person


@pytest.fixture
def anna(db: None) -> User:
    return make_person("annotator", username="anna")


@pytest.fixture
def client(anna: User) -> Client:
    return client_of(anna)


@pytest.fixture
def conversation(stored: Callable[..., Stored]) -> Conversation:
    stored(*small_talk())
    return Conversation.objects.get()
