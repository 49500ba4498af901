"""From a URL to an assistant or a model of it: 404 when the viewer may not see it, 403 when they may not act on it."""

from django.db.models import Prefetch
from django.http import Http404, HttpRequest

from models_app.models import Assistant, Model, Tag, TrainingJob
from models_app.querysets import TagQuerySet
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope


def load_assistant(request: HttpRequest, slug: str, permission: Permission | None = None) -> Assistant:
    """The assistant of a page's address; the shell's navigation follows it.

    `permission` is asked within the whole assistant, so a grant for one of its environments is not enough.
    """
    user = signed_in(request)
    assistant = Assistant.objects.visible_to(user).filter(slug=slug).first()
    if assistant is None:
        raise Http404("There is no such assistant, or you may not see it.")
    request.assistant = assistant  # type: ignore[attr-defined]
    if permission is not None:
        require(user, permission, Scope(assistant.pk))
    return assistant


def require_models(request: HttpRequest, assistant: Assistant) -> None:
    """Whoever may see models anywhere within the assistant may see its models: a model is in no one environment."""
    if not signed_in(request).may_somewhere(Permission.MODELS_VIEW, assistant.pk):
        raise MissingPermission(Permission.MODELS_VIEW)


def rights_on_models(request: HttpRequest, assistant: Assistant) -> dict[str, bool]:
    """Which actions on its models the viewer is offered. Environments ask again for each of theirs."""
    user = signed_in(request)
    promoting = (Permission.ENVIRONMENTS_MODIFY, Permission.ENVIRONMENTS_MODIFY_PROTECTED)
    return {
        "may_modify": user.may(Permission.MODELS_MODIFY, Scope(assistant.pk)),
        "may_promote": any(user.may_somewhere(permission, assistant.pk) for permission in promoting),
    }


def load_model_retention(request: HttpRequest, slug: str) -> Assistant:
    """The assistant of which somebody may say which models are deleted: it is a setting, and it deletes."""
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    require(signed_in(request), Permission.MODELS_MODIFY, Scope(assistant.pk))
    return assistant


def visible_tags(user: User) -> "Prefetch[str, TagQuerySet, str]":
    """For `prefetch_related` of models whose tags a page shows."""
    return Prefetch("tags", Tag.objects.visible_to(user))


def load_model(request: HttpRequest, slug: str, name: str, permission: Permission = Permission.MODELS_VIEW) -> Model:
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    model = (
        Model.objects.visible_to(user)
        .select_related("assistant", "artifact", "revision")
        .prefetch_related(visible_tags(user))
        .filter(assistant=assistant, name=name)
        .first()
    )
    if model is None:
        raise Http404("There is no such model, or you may not see it.")
    if permission is not Permission.MODELS_VIEW:  # visible_to has asked that one
        require(user, permission, Scope(assistant.pk))
    return model


def load_job(
    request: HttpRequest, slug: str, number: int, permission: Permission = Permission.MODELS_VIEW
) -> TrainingJob:
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    job = TrainingJob.objects.visible_to(user).named().filter(assistant=assistant, number=number).first()
    if job is None:
        raise Http404("There is no such training, or you may not see it.")
    if permission is not Permission.MODELS_VIEW:
        require(user, permission, Scope(assistant.pk))
    return job
