"""How one assistant is trained: the page, and what trainings read of it."""

import pytest
from django.test import Client

from models_app.models import Assistant, TrainingSettings
from models_app.services.training_settings import Limits, limits_of, save_settings
from studio.audit.models import AuditEvent
from tests.factories import make_person

PAGE = "/a/cafe/settings/training"
FORM = {"held_out_percent": "25", "minutes": "90", "memory_mb": "2048", "validate_first": "on"}


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


def test_without_settings_the_installation_limits_time_alone(assistant: Assistant, settings):
    settings.TRAINING_SECONDS = 600
    assert limits_of(assistant) == Limits(seconds=600)


def test_what_is_saved_limits_trainings(admin: Client, assistant: Assistant):
    assert admin.post(PAGE, FORM)["Location"] == PAGE
    assert limits_of(assistant) == Limits(seconds=5400, memory=2048 * 1024**2)
    shown = admin.get(PAGE).content.decode()
    assert 'value="2048"' in shown
    assert "Saved. Trainings that start from now on follow it." in shown


def test_a_bad_number_keeps_what_was_saved(admin: Client, assistant: Assistant):
    admin.post(PAGE, FORM)
    answer = admin.post(PAGE, {**FORM, "memory_mb": "3"})
    assert answer.status_code == 422
    assert limits_of(assistant).memory == 2048 * 1024**2


def test_the_audit_names_what_changed_and_nothing_else(admin: Client, assistant: Assistant):
    admin.post(PAGE, FORM)
    admin.post(PAGE, {**FORM, "memory_mb": "4096"})
    admin.post(PAGE, {**FORM, "memory_mb": "4096"})
    events = AuditEvent.objects.filter(action="training-settings-changed").order_by("pk")
    assert [event.after for event in events][1:] == [{"memory_mb": 4096}]


@pytest.mark.django_db
def test_settings_are_kept_once_for_each_assistant(assistant: Assistant):
    for minutes in (5, None):
        save_settings(actor=None, assistant=assistant, values={"minutes": minutes})
    assert TrainingSettings.objects.get().minutes is None
