"""Rows for tests, made through the services that make them in life."""

from itertools import count

from environments.models import Environment
from environments.services.birth import create_assistant
from models_app.models import Assistant
from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.services.people import create_person, ensure_default_roles, grant

_numbers = count(1)
PASSWORD = "correct-horse-battery"


def make_assistant(slug: str = "", title: str = "Café") -> Assistant:
    """An assistant with its two environments of birth."""
    return create_assistant(actor=None, slug=slug or f"cafe-{next(_numbers)}", title=title)


def environment_of(assistant: Assistant, name: str = "production") -> Environment:
    return Environment.objects.get(assistant=assistant, name=name)


def make_person(role: str = "", scope: Scope = EVERYWHERE, username: str = "") -> User:
    """A person with one of the default roles (admin, annotator, tester), or with none."""
    person = create_person(actor=None, username=username or f"person-{next(_numbers)}", password=None)
    if role:
        ensure_default_roles()
        grant(actor=None, person=person, role=Role.objects.get(name=role), scope=scope)
    return person
