"""What this app adds to the house: periodic work, health parts, entries of the navigation, what lower apps ask."""

from environments import health, metrics
from environments.models import Environment
from environments.rights import scope_of
from environments.services import (
    database,
    environments,
    pointers,
    polls,
    rasa_change,
    replicas,
    slots,
    starter,
    transitions,
)
from models_app.loaders import visible_assistants
from models_app.models import Assistant, Model
from models_app.services import models, tags, training
from models_app.testing import rivals
from studio import health as parts
from studio.access import scopes
from studio.access.models import User
from studio.access.permissions import Permission
from studio.jobs import schedule
from studio.rasa import uses
from studio.web import navigation

# Pages of environments, by the beginnings of their URLs' names.
ENVIRONMENTS = (
    "environments:list",
    "environments:add",
    "environments:detail",
    "environments:edit",
    "environments:connect",
    "environments:remove",
    "environments:run",
    "environments:log",
    "environments:promote",
    "environments:return",
    "environments:withdraw",
)


def register() -> None:
    _schedule()
    parts.register("environments", health.environments_part)
    parts.register("running slots", health.slots_part)
    metrics.register()
    scopes.register("environments", _places)
    uses.register("environments", rasa_change.uses_by_servers)
    uses.register("slots", rasa_change.uses_by_slots)
    models.guard(transitions.reasons_to_keep)
    rivals.register(_live)
    tags.watch(pointers.refresh)
    training.when_trained(slots.after_training)
    _enter_navigation()


def _schedule() -> None:
    schedule.every(3, polls.flush, name="note polls")
    schedule.every(3, transitions.advance_open, name="advance promotions")
    schedule.every(600, replicas.forget_silent, name="forget silent replicas")
    schedule.every(600, environments.forget_unused_aliases, name="forget unused former names")
    schedule.every(60, database.drop_removed, name="drop database roles of removed environments")
    schedule.every(1, starter.advance, name="bring the starter into production")
    schedule.every(1, slots.make_room, name="make room for slots in line")
    schedule.every(1, slots.wake_workers, name="wake workers for forgotten slots")
    schedule.every(5, slots.reap, name="reap silent slots")
    schedule.every(60, slots.tidy, name="tidy slots")


def _enter_navigation() -> None:
    navigation.set_assistants(visible_assistants, list_url_name="environments:assistants")
    navigation.register(
        navigation.Entry(
            key="environments",
            label="Environments",
            icon="server-stack",
            url_name="environments:list",
            permission=Permission.ENVIRONMENTS_VIEW,
            order=50,
            per_assistant=True,
            shortcut="e",
            match=(*ENVIRONMENTS, "conversations:intake", "conversations:completeness"),
        )
    )
    navigation.register(
        navigation.Entry(
            key="slots",
            label="Slots",
            icon="play-circle",
            url_name="environments:slots",
            permission=Permission.ENVIRONMENTS_MODIFY,
            order=145,
            group="settings",
            match=("environments:slot",),
        )
    )


def _places() -> list[scopes.Place]:
    """Where roles can be given."""
    rows = Environment.objects.current().select_related("assistant")
    return [scopes.Place(scope_of(one), one.assistant.title, one.name, one.assistant.slug) for one in rows]


def _live(assistant: Assistant, viewer: User) -> list[tuple[str, Model]]:
    """What a test's model is compared with: what is live in the environments that the person sees, protected first."""
    seen = Environment.objects.visible_to(viewer).filter(assistant=assistant, tag__model__isnull=False)
    rows = seen.select_related("tag__model").defer("tag__model__domain")
    return [(row.name, row.tag.model) for row in rows if row.tag is not None and row.tag.model is not None]
