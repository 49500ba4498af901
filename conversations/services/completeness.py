"""What people and the clock wish of completeness runs. What a run then does is in repair.py."""

import time
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from conversations.models import CompletenessRun, IntakeIncident
from environments.models import Environment
from environments.services.address import NoServer, server_of
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import SYSTEM, record
from studio.errors import Conflict
from studio.jobs import heartbeat, queues

State = CompletenessRun.State

SETTLED_SECONDS = 120.0  # younger events may still be on their way to us, or to the server's own store
INCIDENT_MARGIN = 3600.0  # seconds around an incident: partitions are not in step, nor are clocks
NIGHTLY_SECONDS = 26 * 3600.0  # a day, and what the last check could not see yet
NIGHTLY_APART = timedelta(hours=20)
HELD_FOR = timedelta(seconds=150)  # without a heartbeat; longer than any single answer is waited for
LOST_AFTER = timedelta(seconds=60)  # between two slices
KEPT = 60  # runs of an environment
JOB = "conversations.jobs.check_completeness"
WORKER = "background-worker"  # as its heartbeat says


def request_check(
    *,
    actor: User | None,
    environment: Environment,
    since: float | None,
    until: float | None = None,
    sample: int | None = None,
    repairs: bool = False,
    label: str = "",
) -> CompletenessRun:
    """Compare the events between two of Rasa's times with the server's, of all conversations or of a sample.

    Raises NoServer, or Conflict while another run of the environment is under way.
    """
    return _request(actor, environment, label, since=since, until=_settled(until), sample=sample, repairs=repairs)


def request_backfill(*, actor: User | None, run: CompletenessRun) -> CompletenessRun:
    """Store what `run` found missing. After a sample that means to compare all conversations of its period."""
    if not run.is_ended or run.repairs:
        raise Conflict("Only what a finished check found can be brought in.")
    is_whole = run.sample is None and run.state == State.DONE
    facts: dict[str, object] = {"of": run, "incident": run.incident, "since": run.since, "until": run.until}
    if is_whole:
        facts["phase"] = CompletenessRun.Phase.FOUND
    return _request(actor, run.environment, "", repairs=True, **facts)


def request_repair_of_incident(
    *, actor: User | None, environment: Environment, incident: IntakeIncident
) -> CompletenessRun:
    """Compare and store everything of the time in which a source lost records."""
    since = None if incident.since is None else incident.since - INCIDENT_MARGIN
    until = _settled(None if incident.until is None else incident.until + INCIDENT_MARGIN)
    return _request(actor, environment, "", since=since, until=until, repairs=True, incident=incident)


def _settled(until: float | None) -> float:
    latest = time.time() - SETTLED_SECONDS
    return latest if until is None else min(until, latest)


@transaction.atomic
def _request(actor: User | None, environment: Environment, label: str, **facts: object) -> CompletenessRun:
    server_of(environment)
    label = label or (actor.username if actor else SYSTEM)
    try:
        with transaction.atomic():
            run = CompletenessRun.objects.create(
                environment=environment, requested_by=actor, requested_by_label=label, **facts
            )
    except IntegrityError:
        raise Conflict(f"The events of {environment.name} are being compared already. Wait, or stop that.") from None
    if run.repairs:
        period = {"since": run.since, "until": run.until}
        assistant_id = environment.assistant_id
        record(actor, Action.REPAIR_REQUESTED, environment, assistant_id=assistant_id, after=period, actor_label=label)
    queue(run.pk)
    return run


def stop(*, actor: User, run: CompletenessRun) -> None:
    """What it stored stays; whoever works on it ends at the next conversation."""
    under_way = CompletenessRun.objects.filter(pk=run.pk, state__in=(State.WAITING, State.RUNNING))
    message = f"Stopped by {actor.username}."
    if not under_way.update(state=State.STOPPED, ended_at=timezone.now(), message=message, cursor=""):
        raise Conflict("It has ended already.")


# --- By the clock ---------------------------------------------------------------------------------------------------


def request_nightly() -> int:
    """In its hour, one check of each environment whose server can be asked; returns how many were begun."""
    if not settings.COMPLETENESS_SAMPLE or timezone.now().hour != settings.COMPLETENESS_HOUR:
        return 0
    lately = timezone.now() - NIGHTLY_APART
    done = CompletenessRun.objects.filter(is_nightly=True, requested_at__gt=lately).values("environment")
    kinds = (Environment.Kind.MANAGED, Environment.Kind.CONNECTED)
    due = list(Environment.objects.current().filter(kind__in=kinds).exclude(pk__in=done).select_related("server"))
    _forget_old(due)
    return sum(_begin_nightly(one) for one in due)


def _begin_nightly(environment: Environment) -> bool:
    since = time.time() - NIGHTLY_SECONDS
    sample = settings.COMPLETENESS_SAMPLE
    try:
        _request(None, environment, "", since=since, until=_settled(None), sample=sample, is_nightly=True)
    except (NoServer, Conflict):
        return False
    return True


def _forget_old(environments: Iterable[Environment]) -> None:
    for environment in environments:
        rows = CompletenessRun.objects.filter(environment=environment).exclude(state__in=(State.WAITING, State.RUNNING))
        kept = rows.order_by("-pk").values_list("pk", flat=True)[:KEPT]
        rows.exclude(pk__in=list(kept)).delete()


def resume() -> int:
    """Queue what nobody works on: Redis was away, or a process was killed.

    Only where somebody takes from the queue, which would otherwise grow.
    """
    if not heartbeat.live(WORKER):
        return 0
    now = timezone.now()
    lost = Q(is_held=False, heartbeat_at__lt=now - LOST_AFTER) | Q(is_held=True, heartbeat_at__lt=now - HELD_FOR)
    rows = CompletenessRun.objects.filter(lost, state__in=(State.WAITING, State.RUNNING))
    keys = list(rows.values_list("pk", flat=True))
    for key in keys:
        queue(key)
    return len(keys)


def queue(run_id: int) -> None:
    """A job for the next slice of a run. It is good for this one alone: of two jobs the later finds its slice done."""
    attempt = CompletenessRun.objects.values_list("attempt", flat=True).get(pk=run_id)
    queues.enqueue(queues.BACKGROUND, JOB, run_id, attempt)
