"""Which models are kept: a mark by hand, and a rule of the assistant that deletes the others by night."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from models_app.models import Artifact, Assistant, Model, ModelRetention
from models_app.services.models import delete_model, reasons_to_keep
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict
from studio.jobs import queues

log = structlog.get_logger()

RUN = "models_app.jobs.apply_model_retention"
APART = timedelta(hours=20)


# --- The mark ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def keep_model(*, actor: User, model: Model, reason: str = "") -> None:
    """Mark a model: nobody and no rule deletes it while it has the mark."""
    row = _locked(model)
    before = {"reason": row.kept_reason} if row.kept_at else None
    row.kept_at, row.kept_by_label, row.kept_reason = timezone.now(), actor.username, reason
    row.save(update_fields=["kept_at", "kept_by_label", "kept_reason"])
    record(actor, Action.MODEL_KEPT, row, assistant_id=row.assistant_id, before=before, after={"reason": reason})


@transaction.atomic
def keep_model_no_longer(*, actor: User, model: Model) -> None:
    row = _locked(model)
    if row.kept_at is None:
        return
    before = {"reason": row.kept_reason, "by": row.kept_by_label}
    row.kept_at, row.kept_by_label, row.kept_reason = None, "", ""
    row.save(update_fields=["kept_at", "kept_by_label", "kept_reason"])
    record(actor, Action.MODEL_KEPT_NO_LONGER, row, assistant_id=row.assistant_id, before=before)


def _locked(model: Model) -> Model:
    """Against a deletion that looks for the mark at this moment."""
    row = Model.objects.current().select_for_update(of=["self"]).filter(pk=model.pk).first()
    if row is None:
        raise Conflict(f"{model.name} has been deleted meanwhile.")
    return row


# --- The rule ---------------------------------------------------------------------------------------------------------


def rule_of(assistant: Assistant) -> ModelRetention:
    """As saved, or an unsaved one that is off."""
    return ModelRetention.objects.filter(assistant=assistant).first() or ModelRetention(assistant=assistant)


@transaction.atomic
def change_rule(*, actor: User, assistant: Assistant, newest: int | None = None, is_on: bool | None = None) -> None:
    """Set what is not None."""
    Assistant.objects.select_for_update().get(pk=assistant.pk)
    rule = rule_of(assistant)
    before = _facts(rule) if rule.pk else None
    rule.newest = rule.newest if newest is None else newest
    rule.is_on = rule.is_on if is_on is None else is_on
    rule.changed_by = actor
    rule.save()
    record(actor, Action.RETENTION_CHANGED, rule, assistant_id=assistant.pk, before=before, after=_facts(rule))


def _facts(rule: ModelRetention) -> dict[str, object]:
    return {"models": rule.newest, "on": rule.is_on}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rule would delete now. `freed` is bytes: a file that another model shares stays."""

    total: int
    doomed: list[int]  # models by their id, oldest first
    freed: int
    stay: list[tuple[Model, str]]  # those that are not among the newest and stay, newest first, and why


def plan_of(assistant: Assistant, newest: int) -> Plan:
    current = Model.objects.current().filter(assistant=assistant)
    models = list(current.prefetch_related("tags").defer("domain").order_by("-pk"))
    older = models[newest:]
    reasons = reasons_to_keep(older)
    doomed = [model for model in reversed(older) if model.pk not in reasons]
    stay = [(model, reasons[model.pk]) for model in older if model.pk in reasons]
    ids = [model.pk for model in doomed]
    return Plan(len(models), ids, _freed_by(doomed, ids), stay)


def _freed_by(doomed: list[Model], ids: list[int]) -> int:
    sizes = {model.artifact_id: model.size for model in doomed}
    shared = Model.objects.current().filter(artifact__in=sizes).exclude(pk__in=ids).values_list("artifact", flat=True)
    return sum(sizes.values()) - sum(sizes[sha256] for sha256 in set(shared))


def request_nightly() -> int:
    """In its hour, queue each rule that is on and did not run lately; returns how many were queued."""
    if timezone.now().hour != settings.RETENTION_HOUR:
        return 0
    due = list(_due().values_list("pk", flat=True))
    for pk in due:
        queues.enqueue(queues.BACKGROUND, RUN, pk)
    return len(due)


def _due() -> "QuerySet[ModelRetention]":
    lately = timezone.now() - APART
    return ModelRetention.objects.filter(
        Q(last_run_at=None) | Q(last_run_at__lt=lately), is_on=True, assistant__deleted_at=None
    )


def apply_rule(pk: int) -> int:
    """Delete what the rule says, oldest first, unless it ran lately; returns how many models went.

    Each is looked at again in its own transaction: what was tagged, promoted or marked meanwhile stays.
    """
    if not _due().filter(pk=pk).update(last_run_at=timezone.now()):
        return 0
    rule = ModelRetention.objects.select_related("assistant").get(pk=pk)
    gone = [model for model_id in plan_of(rule.assistant, rule.newest).doomed if (model := _deleted(pk, model_id))]
    artifacts = Artifact.objects.filter(pk__in={model.artifact_id for model in gone}, freed_at__isnull=False)
    freed = artifacts.aggregate(size=Sum("size"))["size"] or 0
    ModelRetention.objects.filter(pk=pk).update(last_deleted=len(gone), last_freed=freed)
    log.info("models deleted by retention", assistant=rule.assistant.slug, models=len(gone), bytes=freed)
    return len(gone)


def _deleted(rule_id: int, model_id: int) -> Model | None:
    """The model that went; None when the rule does not want it deleted any more."""
    rule = ModelRetention.objects.filter(pk=rule_id, is_on=True).first()
    model = Model.objects.current().defer("domain").filter(pk=model_id).first()
    if rule is None or model is None:
        return None
    newer = Model.objects.current().filter(assistant=model.assistant_id, pk__gt=model.pk).count()
    if newer < rule.newest:
        return None
    try:
        delete_model(actor=None, model=model, reason=f"Retention keeps {rule}.")
    except Conflict as error:
        log.info("model stays", model=model.name, why=error.message)
        return None
    return model
