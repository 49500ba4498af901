"""Rows for tests, made through the services that make them in life."""

import io
from itertools import count
from typing import Any

from conversations.ingest.places import SourcePlaces
from conversations.ingest.records import Record, read
from conversations.ingest.write import Stored, store
from conversations.models import IntakeSource
from environments.models import Environment
from environments.services.birth import create_assistant
from models_app.models import Assistant, Model
from models_app.services.models import add_model
from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.services.grants import grant
from studio.access.services.people import create_person
from studio.access.services.roles import ensure_default_roles
from tests.conversations.events import raw
from tests.models_app.archives import model_archive

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


def make_model(assistant: Assistant, name: str = "", content: bytes | None = None) -> Model:
    """A model uploaded to `assistant`; each has bytes of its own unless `content` is given."""
    name = name or f"model-{next(_numbers)}"
    source = io.BytesIO(content or model_archive(model_id=name))
    added = add_model(
        actor=None, assistant=assistant, source=source, file_name=f"{name}.tar.gz", origin=Model.Origin.UPLOADED
    )
    return added.model


def source_of(assistant: Assistant) -> IntakeSource:
    """Where the events of `store_events` come from."""
    settings = {"servers": ["127.0.0.1:9"], "topics": ["rasa_core_events"]}
    source, _ = IntakeSource.objects.get_or_create(
        kind=IntakeSource.Kind.KAFKA, name="test", assistant=assistant, defaults={"settings": settings}
    )
    return source


def store_events(environment: Environment, *events: dict[str, Any] | bytes, under: str | None = None) -> Stored:
    """Events, or records as they come, that were published under the environment's name, or `under` another."""
    places = SourcePlaces(source_of(environment.assistant))
    places.refresh()
    claimed = environment.name if under is None else under
    records = [Record(one if isinstance(one, bytes) else raw(one)[0], claimed) for one in events]
    return store(read(records), places)
