"""How long conversations are kept: rules of an assistant and its environments, carried out by night."""

import time
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import IntegerField, QuerySet, Subquery
from django.utils import timezone

from conversations.limits import kept
from conversations.models import Conversation, ErasureRun, RetentionRule
from conversations.services import erasure_plan
from conversations.services.erasure_runs import queue
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import SYSTEM, record
from studio.errors import Conflict, Invalid

DAY = 86_400.0  # seconds
APART = timedelta(hours=20)
COUNTED = 10_000


@transaction.atomic
def add_rule(*, actor: User, assistant: Assistant, environment: Environment | None, days: int) -> RetentionRule:
    """It begins switched off, so that one can look at what it would delete."""
    if environment is not None and environment.assistant_id != assistant.pk:
        raise Invalid("This environment belongs to another assistant.", field="environment")
    try:
        with transaction.atomic():
            rule = RetentionRule.objects.create(
                assistant=assistant, environment=environment, days=days, changed_by=actor
            )
    except IntegrityError:
        raise Conflict("There is a rule for this place already. Change that one.") from None
    record(actor, Action.RETENTION_CHANGED, rule, assistant_id=assistant.pk, after=_facts(rule))
    return rule


@transaction.atomic
def change_rule(*, actor: User, rule: RetentionRule, days: int) -> None:
    row = _locked(rule)
    before, row.days, row.changed_by = _facts(row), days, actor
    row.save(update_fields=["days", "changed_by", "changed_at"])
    record(actor, Action.RETENTION_CHANGED, row, assistant_id=row.assistant_id, before=before, after=_facts(row))


@transaction.atomic
def switch_rule(*, actor: User, rule: RetentionRule, is_on: bool) -> None:
    row = _locked(rule)
    before, row.is_on, row.changed_by = _facts(row), is_on, actor
    row.save(update_fields=["is_on", "changed_by", "changed_at"])
    record(actor, Action.RETENTION_CHANGED, row, assistant_id=row.assistant_id, before=before, after=_facts(row))


@transaction.atomic
def remove_rule(*, actor: User, rule: RetentionRule) -> None:
    """An environment without a rule of its own falls under the assistant's."""
    row = _locked(rule)
    record(actor, Action.RETENTION_CHANGED, row, assistant_id=row.assistant_id, before=_facts(row), after={})
    row.delete()


def _locked(rule: RetentionRule) -> RetentionRule:
    row = RetentionRule.objects.select_for_update(of=("self",)).select_related("environment").filter(pk=rule.pk).first()
    if row is None:
        raise Conflict("Somebody removed this rule meanwhile.")
    return row


def _facts(rule: RetentionRule) -> dict[str, object]:
    return {"place": rule.place, "days": rule.days, "on": rule.is_on}


class _CountOf(Subquery):
    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"


def due_now(rules: Iterable[RetentionRule]) -> dict[int, int]:
    """By the primary key of each rule, how many conversations it would delete now, counted up to one more than
    COUNTED: one query."""
    counts = {rule.pk: _CountOf(_due(rule).values("pk"), output_field=IntegerField()) for rule in rules}
    row = RetentionRule.objects.filter(pk__in=counts).order_by().values_list(*counts.values()).first()
    return dict(zip(counts, row or (), strict=row is not None))


def _due(rule: RetentionRule) -> QuerySet[Conversation]:
    old = erasure_plan.older_than(rule.assistant, rule.environment, time.time() - rule.days * DAY)
    return old.order_by()[: COUNTED + 1]


@transaction.atomic
def request_dry_run(*, actor: User, rule: RetentionRule) -> ErasureRun:
    """Count exactly what the rule would delete now. Nothing is deleted unless somebody confirms it."""
    run = _create(rule, requested_by=actor, requested_by_label=actor.username, limit=kept(actor))
    queue(run.pk)
    return run


def request_nightly() -> int:
    """In its hour, a run of each rule that is on and has something to delete; returns how many were begun."""
    if timezone.now().hour != settings.RETENTION_HOUR:
        return 0
    lately = timezone.now() - APART
    rules = RetentionRule.objects.filter(is_on=True, assistant__deleted_at=None).exclude(last_run_at__gt=lately)
    return sum(_begin(rule) for rule in rules.select_related("assistant", "environment"))


@transaction.atomic
def _begin(rule: RetentionRule) -> bool:
    RetentionRule.objects.filter(pk=rule.pk).update(last_run_at=timezone.now())
    if rule.runs.filter(is_nightly=True, state__in=ErasureRun.UNDER_WAY).exists():
        return False
    run = _create(rule, is_nightly=True, requested_by_label=SYSTEM)
    if not (
        erasure_plan.conversations_of(run).exists()
        or erasure_plan.letters_of(run).exists()
        or erasure_plan.talks_of(run).exists()
    ):
        run.delete()
        return False
    queue(run.pk)
    return True


def _create(rule: RetentionRule, **facts: object) -> ErasureRun:
    return ErasureRun.objects.create(
        assistant=rule.assistant,
        rule=rule,
        environment=rule.environment,
        days=rule.days,
        before=time.time() - rule.days * DAY,
        **facts,
    )
