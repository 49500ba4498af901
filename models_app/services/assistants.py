"""The only writer of assistants' rows. Making and deleting one also concerns environments: see environments."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from models_app.models import Assistant, valid_name
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid

DEFAULT_SLUG = "default"


@transaction.atomic
def add_assistant(*, actor: User | None, slug: str, title: str) -> Assistant:
    """The row of a new assistant, without environments."""
    try:
        valid_name(slug)
    except ValidationError as error:
        raise Invalid(error.messages[0], field="slug") from None
    try:
        with transaction.atomic():
            assistant = Assistant.objects.create(slug=slug, title=title, created_by=actor)
    except IntegrityError:
        raise Conflict(f"There is already an assistant with the address “{slug}”.", field="slug") from None
    record(actor, Action.ASSISTANT_CREATED, assistant, assistant_id=assistant.pk, after={"slug": slug, "title": title})
    return assistant


@transaction.atomic
def rename_assistant(*, actor: User, assistant: Assistant, title: str) -> None:
    """Change the title; the slug stays, because servers poll it."""
    before = assistant.title
    assistant.title = title
    assistant.save(update_fields=["title"])
    record(
        actor,
        Action.ASSISTANT_RENAMED,
        assistant,
        assistant_id=assistant.pk,
        before={"title": before},
        after={"title": title},
    )


@transaction.atomic
def mark_deleted(*, actor: User, assistant: Assistant) -> None:
    """Hide the assistant for good; its rows stay for history. `default` cannot be deleted."""
    if assistant.slug == DEFAULT_SLUG:
        raise Invalid("The default assistant cannot be deleted: Rasa Enterprise's addresses mean it.")
    if Assistant.objects.filter(pk=assistant.pk, deleted_at=None).update(deleted_at=timezone.now()) != 1:
        raise Conflict("This assistant is deleted already.")
    record(actor, Action.ASSISTANT_DELETED, assistant, assistant_id=assistant.pk, before={"slug": assistant.slug})
