"""Where an assistant's models are tried: the place that their conversations belong to, and how it is set."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import transaction

from environments.models import Environment, TryingSettings
from environments.services.environments import checked_action_server
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import digest, encrypt
from studio.errors import Invalid
from studio.rasa.signing import generate_key_pair

NAME = "tried models"  # with a space: no deployment environment can be called so
MOST_MINUTES = 24 * 60


def place_of(assistant: Assistant) -> Environment:
    """The environment of the assistant's slots; made when it is asked for the first time."""
    return _find(assistant) or _make(assistant)


def _find(assistant: Assistant) -> Environment | None:
    rows = Environment.objects.in_use().select_related("assistant")
    return rows.filter(assistant=assistant, kind=Environment.Kind.TRIED).first()


@transaction.atomic
def _make(assistant: Assistant) -> Environment:
    Assistant.objects.select_for_update(no_key=True).get(pk=assistant.pk)
    found = _find(assistant)
    if found is not None:
        return found
    keys = generate_key_pair()
    return Environment.objects.create(
        assistant=assistant,
        name=NAME,
        kind=Environment.Kind.TRIED,
        model_token_digest=digest(secrets.token_urlsafe(32)),  # nobody knows it: a slot polls for nothing
        private_key_encrypted=encrypt(keys.private_pem),
        public_key=keys.public_pem,
    )


def settings_of(assistant: Assistant) -> TryingSettings:
    return TryingSettings.objects.filter(assistant=assistant).first() or TryingSettings(assistant=assistant)


def idle_minutes_of(assistant: Assistant) -> int:
    """After so many minutes without a word a slot of this assistant is stopped."""
    return settings_of(assistant).idle_minutes or int(settings.SLOT_IDLE_MINUTES)


@transaction.atomic
def change_settings(
    *,
    actor: User,
    assistant: Assistant,
    start_after_training: bool,
    idle_minutes: int | None,
    action_server_url: str,
) -> None:
    """A slot that runs already goes on as it was started."""
    if idle_minutes is not None and not 1 <= idle_minutes <= MOST_MINUTES:
        raise Invalid(f"Give 1 to {MOST_MINUTES} minutes, or nothing.", field="idle_minutes")
    place = place_of(assistant)
    url = checked_action_server(action_server_url)
    before = _facts(settings_of(assistant), place)
    row, _made = TryingSettings.objects.update_or_create(
        assistant=assistant, defaults={"start_after_training": start_after_training, "idle_minutes": idle_minutes}
    )
    place.action_server_url = url
    place.save(update_fields=["action_server_url"])
    after = _facts(row, place)
    if after != before:
        record(
            actor,
            Action.TRYING_SETTINGS_CHANGED,
            assistant,
            assistant_id=assistant.pk,
            before=before,
            after=after,
        )


def _facts(row: TryingSettings, place: Environment) -> dict[str, object]:
    return {
        "start_after_training": row.start_after_training,
        "idle_minutes": row.idle_minutes,
        "action_server_url": place.action_server_url,
    }
