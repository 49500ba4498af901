"""An administrator who is signed in, and an assistant; imported by name where they are used."""

import pytest
from django.test import Client

from models_app.models import Assistant
from studio.access.models import User
from tests.clients import client_of
from tests.factories import make_assistant, make_person


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


@pytest.fixture
def client(admin: User) -> Client:
    return client_of(admin)


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe", "Café Lumen")
