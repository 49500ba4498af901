"""The only writer of models: adding one from an archive, and deleting one nobody needs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from models_app.models import RESERVED_MODEL_NAMES, Assistant, Model, Revision, valid_model_name
from models_app.services import artifacts
from models_app.storage import Staged, store
from models_app.storage.staging import in_place
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid
from studio.rasa.archive import ArchiveError
from studio.rasa.passing import Passing
from studio.readable import Readable

SUFFIX = ".tar.gz"
EARLIER_MODELS = 20  # how far back an assistant_id is compared

# Says which of these models must not be deleted and why, by primary key. Apps above register theirs with guard().
Guard = Callable[[Sequence[Model]], Mapping[int, str]]
guards: list[Guard] = []


@dataclass(frozen=True, slots=True)
class AddedModel:
    """`existed`: the assistant had a model of this name with the same bytes, and nothing was added."""

    model: Model
    existed: bool
    warnings: list[str]


def add_model(
    *,
    actor: User | None,
    assistant: Assistant,
    source: Readable,
    file_name: str,
    origin: str,
    actor_label: str = "",
    revision: Revision | None = None,
    checksum: str | None = None,
    at: Path | None = None,
    also: Callable[[Model], None] = lambda _model: None,
) -> AddedModel:
    """Read an archive to its end, look into it, keep it. Whatever goes wrong leaves neither a row nor a file.

    `checksum` is the SHA-256 in hexadecimal that the sender says its bytes have. `at` is the file that `source` reads,
    when it is one that nobody writes any more: it is kept without another copy. `also` runs in the transaction that
    adds the model: what it raises takes the model back.
    """
    name = name_of(file_name)
    with Passing(source) as passing, _staged(passing, at) as staged:
        _refuse_damaged(staged, checksum)
        if (same := _of_name(assistant, name)) is not None:
            return _existing(same, staged)
        facts = _facts(passing)
        model = Model(assistant=assistant, name=name, size=staged.size, origin=origin, revision=revision, **facts)
        model.created_by, model.created_by_label = actor, actor_label or (actor.username if actor else "")
        with artifacts.kept(staged):
            return _insert(model, staged, actor, also)


def _staged(source: Readable, at: Path | None) -> AbstractContextManager[Staged]:
    if at is not None:
        return nullcontext(in_place(source, at))
    return store().stage(source, limit=settings.MAX_MODEL_BYTES)


def name_of(file_name: str) -> str:
    """The model's name in a file name, `20261121-brisk-otter` of `20261121-brisk-otter.tar.gz`."""
    if not file_name.endswith(SUFFIX):
        raise Invalid(f"A model is a file whose name ends with {SUFFIX}; this one is called “{file_name}”.")
    name = file_name.removesuffix(SUFFIX)
    try:
        valid_model_name(name)
    except ValidationError:
        raise Invalid(
            f"“{name}” cannot be a model's name. Use 1 to 200 letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit."
        ) from None
    if name in RESERVED_MODEL_NAMES:
        raise Invalid(f"“{name}” cannot be a model's name, because an address of the API is called so.")
    return name


def _refuse_damaged(staged: Staged, checksum: str | None) -> None:
    if staged.size == 0:
        raise Invalid("The file is empty.", code="empty")
    if checksum is not None and checksum.lower() != staged.sha256:
        raise Invalid("The file arrived damaged: its SHA-256 is not the one that was announced.", code="checksum")


def _of_name(assistant: Assistant, name: str) -> Model | None:
    return (
        Model.objects.current().select_related("assistant", "artifact").filter(assistant=assistant, name=name).first()
    )


def _existing(model: Model, staged: Staged) -> AddedModel:
    if model.artifact_id != staged.sha256:
        raise Conflict(
            f"There is already another model called {model.name}. Choose another name for this file.", code="name-taken"
        )
    artifacts.restore(staged)
    return AddedModel(model, existed=True, warnings=warnings_of(model))


def _facts(passing: Passing) -> dict[str, object]:
    """The fields of a model that its archive knows."""
    try:
        facts = passing.facts()
    except ArchiveError as error:
        raise Invalid(str(error), code="archive") from error
    return {
        "trained_at": facts.trained_at,
        "rasa_version": facts.rasa_open_source_version[:40],
        "rasa_model_id": facts.model_id or "",
        "rasa_assistant_id": facts.assistant_id or "",
        "language": (facts.language or "")[:20],
        "project_fingerprint": facts.project_fingerprint or "",
        "training_type": facts.training_type or "",
        "domain": facts.domain.as_json(),
    }


def _insert(model: Model, staged: Staged, actor: User | None, also: Callable[[Model], None]) -> AddedModel:
    try:
        with transaction.atomic():
            _refuse_deleted(model.assistant)
            model.artifact = artifacts.ensure_artifact(staged)
            model.save()
            after = {"sha256": staged.sha256, "size": staged.size, "origin": model.origin}
            label = model.created_by_label if actor is None else ""
            record(actor, Action.MODEL_ADDED, model, assistant_id=model.assistant_id, after=after, actor_label=label)
            also(model)
    except IntegrityError:
        same = _of_name(model.assistant, model.name)
        if same is None:
            raise
        return _existing(same, staged)  # somebody else was faster with the same name
    return AddedModel(model, existed=False, warnings=warnings_of(model))


def _refuse_deleted(assistant: Assistant) -> None:
    if not Assistant.objects.current().filter(pk=assistant.pk).exists():
        raise Conflict(f"The assistant {assistant} has been deleted.")


def warnings_of(model: Model) -> list[str]:
    """What a person should know before this model goes live; shown at upload and promotion."""
    own = model.rasa_assistant_id
    earlier = list(
        Model.objects.current()
        .filter(assistant_id=model.assistant_id, pk__lt=model.pk)
        .exclude(rasa_assistant_id="")
        .values_list("rasa_assistant_id", flat=True)[:EARLIER_MODELS]
    )
    if not own or not earlier or own in earlier:
        return []
    return [
        f"Its assistant_id is “{own}”, that of earlier models is “{earlier[0]}”. "
        "It may have been trained for another assistant."
    ]


def guard(reasons: Guard) -> None:
    """Register a reason to keep models; apps above call it in AppConfig.ready()."""
    if reasons not in guards:
        guards.append(reasons)


def reasons_to_keep(models: Sequence[Model]) -> dict[int, str]:
    """Why each of these models cannot be deleted, by primary key; those that can be are left out."""
    reasons = {model.pk: model.kept_why for model in models if model.kept_at}
    reasons |= {model.pk: _tagged(model) for model in models if model.tags.all()}
    for ask in guards:
        reasons = {**ask(models), **reasons}
    return reasons


def _tagged(model: Model) -> str:
    names = [tag.name for tag in model.tags.all()]
    return f"tagged {', '.join(names)}"


def delete_model(*, actor: User | None, model: Model, reason: str = "") -> None:
    """Delete a model that nothing points at; bytes that no other model shares are freed after the commit."""
    with transaction.atomic():
        row = Model.objects.current().select_for_update(of=["self"]).filter(pk=model.pk).first()
        if row is None:
            raise Conflict(f"{model.name} has been deleted already.")
        if (why := reasons_to_keep([row]).get(row.pk)) is not None:
            raise Conflict(f"{row.name} cannot be deleted: {why}.", code="in-use")
        row.deleted_at = timezone.now()
        row.save(update_fields=["deleted_at"])
        before = {"sha256": row.artifact_id, "size": row.size}
        record(actor, Action.MODEL_DELETED, row, assistant_id=row.assistant_id, before=before, reason=reason)
        transaction.on_commit(partial(artifacts.free_unused, row.artifact_id))
