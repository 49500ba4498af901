"""What a person may see of assistants, models, tags and trainings. Closed by default."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.functions import Coalesce, NullIf

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from models_app.models import Assistant, Model, ModelTest, Tag, TrainingJob  # noqa: F401 - named in quotes below
    from studio.access.models import User


def within_assistants(user: "User | AnonymousUser", permission: Permission, path: str) -> models.Q:
    """Condition on the assistant id at `path` ("id", "assistant_id"): those where `permission` is held somewhere."""
    if isinstance(user, AnonymousUser):
        return models.Q(pk__in=[])
    ids = user.assistants_with(permission)
    return models.Q() if ids is None else models.Q(**{f"{path}__in": ids})


class AssistantQuerySet(models.QuerySet["Assistant"]):
    def current(self) -> Self:
        return self.filter(deleted_at=None)

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Assistants in which the person holds any grant at all."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        scopes = [scope for scope, permissions in user.granted if permissions]
        if any(scope.assistant_id is None for scope in scopes):
            return self.current()
        return self.current().filter(pk__in={scope.assistant_id for scope in scopes})


class ModelQuerySet(models.QuerySet["Model"]):
    def current(self) -> Self:
        return self.filter(deleted_at=None)

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        return self.current().filter(within_assistants(user, Permission.MODELS_VIEW, "assistant_id"))


class TagQuerySet(models.QuerySet["Tag"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Of models that the person sees anyway: an environment's tag only where they see the environment."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, environments = user.environments_with(Permission.ENVIRONMENTS_VIEW)
        if assistants is None:
            return self
        # Environments live in an app above; their ids, and the name of the relation, are all that is known here.
        seen = models.Q(assistant_id__in=assistants) | models.Q(environment__in=environments)
        return self.filter(~models.Q(kind="environment") | seen)


class JobQuerySet(models.QuerySet["TrainingJob"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        return self.filter(within_assistants(user, Permission.MODELS_VIEW, "assistant_id"))

    def named(self) -> Self:
        """With their revisions and models, but for what a model's domain says, which can be megabytes."""
        related = self.select_related("revision", "model", "tested", "finetune_from")
        return related.defer("model__domain", "tested__domain", "finetune_from__domain")

    def trainings(self) -> Self:
        """Those that make a model: neither tests nor validations."""
        return self.filter(kind="training")

    def in_line(self, rasa: Collection[str] | None = None) -> Self:
        """Queued jobs in the order in which workers take them; with `rasa` those that want one of these alone.

        `wanted` is the name of the Rasa that a job's assistant is trained with now.
        """
        own = NullIf(models.F("assistant__training_settings__rasa_version"), models.Value(""))
        wanted = Coalesce(own, models.Value(settings.RASA_VERSION))
        line = self.filter(state="queued").annotate(wanted=wanted)
        return (line if rasa is None else line.filter(wanted__in=rasa)).order_by("priority", "pk")


class ModelTestQuerySet(models.QuerySet["ModelTest"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Results of models that the person sees."""
        return self.filter(
            within_assistants(user, Permission.MODELS_VIEW, "model__assistant_id"), model__deleted_at=None
        )

    def named(self) -> Self:
        """With job, revision and model, but for what the model's domain says, which can be megabytes."""
        return self.select_related("job", "model", "revision").defer("model__domain")
