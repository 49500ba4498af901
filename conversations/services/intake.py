"""What people say of intake sources: adding, changing, switching and removing them, and how to go on after trouble.

Each change makes `settings_version` grow, so that the processes that take from a source connect anew. What the ingest
process itself notes is in sources.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone

from conversations.ingest.kafka_settings import SECRETS, KafkaSettings, keep_settings, settings_of
from conversations.models import IntakeIncident, IntakeSource
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

Kind = IntakeSource.Kind


@dataclass(frozen=True)
class Wishes:
    """What people set on a Kafka source. Of `settings`, an empty secret keeps the one that is saved."""

    name: str
    settings: KafkaSettings
    environment: Environment | None = None
    other_assistants: tuple[Assistant, ...] = ()


@transaction.atomic
def add_source(*, actor: User | None, assistant: Assistant, wishes: Wishes) -> IntakeSource:
    _refuse_stranger(assistant, wishes.environment)
    _refuse_taken(assistant, wishes.name)
    source = IntakeSource(
        kind=Kind.KAFKA, name=wishes.name, assistant=assistant, environment=wishes.environment, settings_version=1
    )
    keep_settings(source, wishes.settings)
    source.save()
    _bind(source, wishes.other_assistants, ())
    record(actor, Action.INTAKE_SOURCE_ADDED, source, assistant_id=assistant.pk, after=_facts(source))
    return source


@transaction.atomic
def change_source(
    *, actor: User | None, source: IntakeSource, wishes: Wishes, among: Iterable[Assistant] = ()
) -> IntakeSource:
    """`among` are the assistants that the person chose from; others that are bound stay so."""
    row = _locked(source)
    _refuse_stranger(row.assistant, wishes.environment)
    _refuse_taken(row.assistant, wishes.name, but=row)
    _refuse_other_cluster(row, wishes.settings)
    before = _facts(row)
    settings = with_kept_secrets(row, wishes.settings)
    changed = {name: "changed" for name in SECRETS if getattr(wishes.settings, name)}
    row.name, row.environment = wishes.name, wishes.environment
    keep_settings(row, settings)
    row.last_error, row.heartbeat_at = "", None  # of the settings before
    row.settings_version += 1
    row.save(
        update_fields=[
            "name",
            "environment",
            "settings",
            "secrets_encrypted",
            "settings_version",
            "last_error",
            "heartbeat_at",
        ]
    )
    _bind(row, wishes.other_assistants, among)
    after = _facts(row) | changed
    if after != before:
        record(actor, Action.INTAKE_SOURCE_CHANGED, row, assistant_id=row.assistant_id, before=before, after=after)
    return row


def _refuse_other_cluster(source: IntakeSource, settings: KafkaSettings) -> None:
    """Positions are those of one cluster: in another they would pass over what stands before them, and nobody knew."""
    if source.positions.exists() and not set(settings.servers) & set(settings_of(source).servers):
        raise Invalid(
            "Keep one of the servers that are there. For another cluster add another source: this one would begin in "
            "the middle of it. Where only the names changed, save the new ones beside an old one first.",
            field="servers",
        )


@transaction.atomic
def switch_source(*, actor: User | None, source: IntakeSource, is_on: bool) -> None:
    """Off, nothing is taken; Kafka keeps what comes meanwhile for as long as its topic does."""
    row = _locked(source)
    if row.kind != Kind.KAFKA:
        raise Conflict("The table of an environment is taken from for as long as the environment is there.")
    if row.is_on != is_on:
        row.is_on = is_on
        _save_anew(row, "is_on")
        told = {"is_on": is_on}
        record(actor, Action.INTAKE_SOURCE_CHANGED, row, assistant_id=row.assistant_id, after=told)


@transaction.atomic
def remove_source(*, actor: User | None, source: IntakeSource) -> None:
    """What it brought stays, and so does how far it was taken."""
    row = _locked(source)
    if row.kind != Kind.KAFKA:
        raise Conflict("The table of an environment goes with the environment.")
    row.removed_at, row.is_on = timezone.now(), False
    row.secrets_encrypted = b""
    _save_anew(row, "removed_at", "is_on", "secrets_encrypted")
    record(actor, Action.INTAKE_SOURCE_REMOVED, row, assistant_id=row.assistant_id, before=_facts(row))


@transaction.atomic
def clear_alarm(*, actor: User | None, source: IntakeSource, accept_invalid: bool) -> None:
    """Take from it again. With `accept_invalid` records that cannot be read become dead letters, however many, until
    as many can be read again as should."""
    row = _locked(source)
    if not row.alarm:
        raise Conflict(f"{row.name} is not stopped.")
    before = {"alarm": row.alarm}
    row.alarm, row.accepts_invalid = "", accept_invalid
    _save_anew(row, "alarm", "accepts_invalid")
    after = {"accepts_invalid": accept_invalid}
    record(actor, Action.INTAKE_ALARM_CLEARED, row, assistant_id=row.assistant_id, before=before, after=after)


@transaction.atomic
def close_incident(*, actor: User, incident: IntakeIncident, note: str) -> None:
    """Somebody says what was done about the records that are gone."""
    open_one = IntakeIncident.objects.filter(pk=incident.pk, closed_at=None)
    if not open_one.update(closed_at=timezone.now(), closed_by=actor, note=note):
        raise Conflict("Somebody closed it already.")
    source = incident.source
    after = {"incident": str(incident), "note": note}
    record(actor, Action.INTAKE_INCIDENT_CLOSED, source, assistant_id=source.assistant_id, after=after)


def with_kept_secrets(source: IntakeSource, settings: KafkaSettings) -> KafkaSettings:
    """`settings` with the saved secret where it gives none.

    Invalid where that would show a saved password to a server it was not given for, or to whoever listens.
    """
    saved = settings_of(source)
    kept = {name: getattr(settings, name) or getattr(saved, name) for name in SECRETS}
    if settings.uses_sasl and not settings.sasl_password and saved.sasl_password and _is_elsewhere(saved, settings):
        raise Invalid("The saved password is for the servers as they were. Enter it again.", field="sasl_password")
    if not settings.uses_sasl:
        kept["sasl_password"] = ""
    if not settings.ssl_certificate:
        kept["ssl_key"] = ""
    return replace(settings, **kept)


def _is_elsewhere(saved: KafkaSettings, wanted: KafkaSettings) -> bool:
    is_weaker = saved.uses_tls and not (wanted.uses_tls and wanted.ssl_check_hostname >= saved.ssl_check_hostname)
    return not set(wanted.servers) <= set(saved.servers) or is_weaker or wanted.ssl_ca != saved.ssl_ca


def _locked(source: IntakeSource) -> IntakeSource:
    rows = IntakeSource.objects.select_for_update(of=("self",)).select_related("assistant", "environment")
    row = rows.filter(pk=source.pk, removed_at=None).first()
    if row is None:
        raise Conflict(f"{source.name} was removed.")
    return row


def _save_anew(row: IntakeSource, *names: str) -> None:
    row.settings_version += 1
    row.save(update_fields=[*names, "settings_version"])


def _refuse_taken(assistant: Assistant, name: str, but: IntakeSource | None = None) -> None:
    others = IntakeSource.objects.filter(assistant=assistant, name=name, removed_at=None)
    if any(one != but for one in others):
        raise Conflict(f"There is already a source called {name}.", field="name")


def _refuse_stranger(assistant: Assistant, environment: Environment | None) -> None:
    if environment is not None and environment.assistant_id != assistant.pk:
        raise Invalid("This environment belongs to another assistant.", field="environment")


def _bind(source: IntakeSource, wanted: Iterable[Assistant], among: Iterable[Assistant]) -> None:
    source.other_assistants.remove(*among)
    source.other_assistants.add(*(one for one in wanted if one.pk != source.assistant_id))


def _facts(source: IntakeSource) -> dict[str, object]:
    """What the audit log keeps: never a secret, and of certificates only that there is one."""
    facts: dict[str, object] = {
        name: value for name, value in source.settings.items() if name not in (*SECRETS, "ssl_ca", "ssl_certificate")
    }
    for name in ("ssl_ca", "ssl_certificate"):
        facts[name] = bool(source.settings.get(name))
    others = source.other_assistants.order_by("slug").values_list("slug", flat=True)
    return facts | {
        "name": source.name,
        "environment": source.environment.name if source.environment else None,
        "other_assistants": list(others),
    }
