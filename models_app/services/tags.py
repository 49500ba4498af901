"""The only writer of tags. A tag that is an environment's name is moved by promotion alone."""

from collections.abc import Callable
from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction

from models_app.models import Assistant, Model, Tag, valid_name
from models_app.services.expected import UNSET, Expected, holds
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

# Told after the commit that moved or removed a free tag: the assistant's slug and the tag's name.
Watcher = Callable[[str, str], None]
watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Register who keeps copies of where tags point; apps above call it in AppConfig.ready()."""
    if watcher not in watchers:
        watchers.append(watcher)


def _tell(tag: Tag) -> None:
    for watcher in watchers:
        transaction.on_commit(partial(watcher, tag.assistant.slug, tag.name))


@transaction.atomic
def set_tag(
    *, actor: User | None, model: Model, name: str, expected_current: Expected = UNSET, reason: str = ""
) -> Tag:
    """Point the free tag `name` at `model`; it leaves whichever model had it.

    `expected_current` is what the actor saw it point at: Conflict when somebody was faster.
    """
    try:
        valid_name(name)
    except ValidationError as error:
        raise Invalid(error.messages[0], field="name") from None
    _lock(model)
    _, made = Tag.objects.get_or_create(assistant=model.assistant, name=name, defaults={"model": model})
    tag = _locked_tag(model.assistant, name)
    before = None if made else tag.model
    _refuse_stale(tag, before, expected_current)
    if made or tag.model_id != model.pk:
        tag.model = model
        tag.save(update_fields=["model", "moved_at"])
        _record(actor, Action.TAG_SET, tag, before=before, after=model, reason=reason)
        _tell(tag)
    return tag


@transaction.atomic
def remove_tag(
    *, actor: User | None, assistant: Assistant, name: str, expected_current: Expected = UNSET, reason: str = ""
) -> None:
    """Take a free tag off whichever model has it; off `expected_current` alone when that is given."""
    tag = _locked_tag(assistant, name)
    _refuse_stale(tag, tag.model, expected_current)
    _record(actor, Action.TAG_REMOVED, tag, before=tag.model, after=None, reason=reason)
    tag.delete()
    _tell(tag)


def move_environment_tag(*, tag: Tag, model: Model | None) -> None:
    """Point an environment's tag at `model`, or at nothing. For promotion alone, inside its transaction."""
    if tag.kind != Tag.Kind.ENVIRONMENT:
        raise RuntimeError(f"{tag.name} is no environment's tag")
    tag.model = model
    tag.save(update_fields=["model", "moved_at"])


def _lock(model: Model) -> None:
    """Against a deletion of the model that looks for its tags at this moment."""
    if not Model.objects.current().select_for_update().filter(pk=model.pk).exists():
        raise Conflict(f"{model.name} has been deleted meanwhile.")


def _locked_tag(assistant: Assistant, name: str) -> Tag:
    """A free tag, held until the transaction ends."""
    rows = Tag.objects.select_for_update(of=["self"]).select_related("model", "assistant")
    tag = rows.filter(assistant=assistant, name=name).first()
    if tag is None:
        raise Conflict(f"No model has the tag {name} any more.", code="no-tag")
    if tag.kind == Tag.Kind.ENVIRONMENT:
        raise Conflict(f"{name} is the tag of an environment; only a promotion moves it.", code="environment-tag")
    return tag


def _refuse_stale(tag: Tag, current: Model | None, expected: Expected) -> None:
    if not holds(expected, current):
        where = f"is on {current.name}" if current else "is on no model"
        raise Conflict(
            f"The tag {tag.name} {where} by now. Nothing was changed.",
            code="stale",
            current=current.name if current else None,
            hash=current.artifact_id if current else None,
        )


def _record(
    actor: User | None, action: Action, tag: Tag, *, before: Model | None, after: Model | None, reason: str
) -> None:
    record(
        actor,
        action,
        tag,
        assistant_id=tag.assistant_id,
        before={"model": before.name} if before else None,
        after={"model": after.name} if after else None,
        reason=reason,
    )
