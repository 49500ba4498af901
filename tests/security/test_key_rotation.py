"""Encryption keys: every secret of the database moves to the first key, and the old one can go."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db.models import BinaryField

from conversations.chat.links import create_link
from environments.models import Environment
from studio import checks, rotation
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from studio.fields import EncryptedField
from tests.factories import environment_of, make_assistant, make_person

pytestmark = pytest.mark.django_db
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def production(settings) -> Environment:
    """Made with the old key; then a new one is put in front of it."""
    settings.ENCRYPTION_KEYS = [OLD]
    production = environment_of(make_assistant("cafe"))
    create_link(actor=make_person(), environment=production, name="friends")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    return production


def test_everything_opens_with_the_new_key_alone_afterwards(production, settings, capsys) -> None:
    before = decrypt(production.private_key_encrypted)
    call_command("rotate_keys")
    settings.ENCRYPTION_KEYS = [NEW]
    production.refresh_from_db()
    assert decrypt(production.private_key_encrypted) == before
    assert rotation.old_ones() == 0
    # private key and model token of production and worker, and the link
    assert AuditEvent.objects.get(action=Action.KEYS_ROTATED).after == {"secrets": 5, "lost": 0}
    assert "5 secrets were encrypted anew" in capsys.readouterr().out


def test_what_was_interrupted_goes_on_where_it_stopped(production) -> None:
    next(iter(rotation.rotate()))
    counts = {count.column: count for count in rotation.rotate()}
    assert sum(count.rotated + count.current for count in counts.values()) == 5
    assert sum(count.rotated for count in rotation.rotate()) == 0


def test_small_batches_miss_nothing(production, monkeypatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    assert sum(count.rotated for count in rotation.rotate()) == 5


def test_a_secret_that_no_key_opens_is_counted_and_kept(production, settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="opens 5 secrets"):
        call_command("rotate_keys")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    production.refresh_from_db()
    assert decrypt(production.model_token_encrypted)


def test_the_check_warns_as_long_as_an_older_key_is_needed(production) -> None:
    [warning] = checks.stored_secrets(databases=["default"])
    assert "5 stored secrets" in warning.msg and "rotate_keys" in warning.hint
    call_command("rotate_keys")
    assert checks.stored_secrets(databases=["default"]) == []


def test_nothing_is_said_with_one_key(settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW]
    assert checks.stored_secrets(databases=["default"]) == []


def test_every_column_named_encrypted_is_found() -> None:
    from django.apps import apps

    named = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField) and field.name.endswith(("_encrypted", "_token"))
    }
    assert named == set(rotation.columns())
    assert all(isinstance(model._meta.get_field(name), EncryptedField) for model, name in named)
