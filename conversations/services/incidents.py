"""What repairs say of the incidents that they were made for."""

from django.utils import timezone

from conversations.models import CompletenessRun, IntakeIncident
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet


def environments_of(incident: IntakeIncident) -> EnvironmentQuerySet:
    """Those whose events the source may have lost, and whose Rasa server can be asked for them."""
    kinds = (Environment.Kind.MANAGED, Environment.Kind.CONNECTED)
    return Environment.objects.current().filter(assistant__in=_assistants_of(incident), kind__in=kinds)


def concerns(incident: IntakeIncident, environment: Environment) -> bool:
    return environment.assistant_id in _assistants_of(incident)


def _assistants_of(incident: IntakeIncident) -> list[int]:
    source = incident.source
    return [source.assistant_id, *source.other_assistants.values_list("pk", flat=True)]


def note_repair(incident: IntakeIncident, run: CompletenessRun) -> None:
    """In the transaction that ends the run. The incident is closed once each of its environments was repaired."""
    row = IntakeIncident.objects.select_for_update().get(pk=incident.pk)
    row.note = "\n".join(part for part in (row.note, _sentence(run)) if part)
    repaired = CompletenessRun.objects.filter(incident=row, repairs=True, state=CompletenessRun.State.DONE)
    is_open = environments_of(row).exclude(pk__in=repaired.values("environment")).exists()
    if row.closed_at is None and not is_open:
        row.closed_at, row.closed_by = timezone.now(), run.requested_by
    row.save(update_fields=["note", "closed_at", "closed_by"])


def _sentence(run: CompletenessRun) -> str:
    found = f"{run.events_added:,} missing events were stored" if run.events_missing else "nothing was missing"
    return f"Repair of {run.environment}: {run.conversations_compared:,} conversations compared, {found}."
