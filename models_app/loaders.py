"""From a URL to an assistant or a model of it: 404 when the viewer may not see it, 403 when they may not act on it."""

from typing import Any, TypeVar

from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest

from models_app.models import Assistant, Model, Tag, TrainingJob
from models_app.querysets import TagQuerySet
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope

Row = TypeVar("Row", bound=Any)  # of a model with a foreign key `assistant`


def load_assistant(request: HttpRequest, slug: str, permission: Permission | None = None) -> Assistant:
    """The assistant of a page's address; the shell's navigation follows it.

    `permission` is asked within the whole assistant, so a grant for one of its environments is not enough.
    """
    assistant = next((one for one in visible_assistants(request) if one.slug == slug), None)
    if assistant is None:
        raise Http404("There is no such assistant, or you may not see it.")
    request.assistant = assistant  # type: ignore[attr-defined]
    if permission is not None:
        require(signed_in(request), permission, Scope(assistant.pk))
    return assistant


def visible_assistants(request: HttpRequest) -> list[Assistant]:
    """All that the viewer may see, in the order of the switcher: read once, for the page and the shell around it."""
    found: list[Assistant] | None = getattr(request, "assistants", None)
    if found is None:
        found = request.assistants = list(Assistant.objects.visible_to(signed_in(request)))  # type: ignore[attr-defined]
    return found


def load_within(request: HttpRequest, slug: str, rows: "QuerySet[Row]", missing: str) -> Row:
    """The one of `rows` that is of the assistant of a page's address, together with it: both in one query.

    404 when there is no such assistant, and with the sentence `missing` when it has none of these rows.
    """
    assistants = Assistant.objects.visible_to(signed_in(request)).filter(slug=slug)
    found = rows.select_related("assistant").filter(assistant__in=assistants).first()
    if found is None:
        load_assistant(request, slug)
        raise Http404(missing)
    request.assistant = found.assistant  # type: ignore[attr-defined]
    return found


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
        "may_try": user.may(Permission.TALK, Scope(assistant.pk)),
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
    user = signed_in(request)
    named = Model.objects.visible_to(user).filter(name=name)
    rows = named.select_related("artifact", "revision").prefetch_related(visible_tags(user))
    model = load_within(request, slug, rows, "There is no such model, or you may not see it.")
    if permission is not Permission.MODELS_VIEW:  # visible_to has asked that one
        require(user, permission, Scope(model.assistant_id))
    return model


def load_job(
    request: HttpRequest, slug: str, number: int, permission: Permission = Permission.MODELS_VIEW
) -> TrainingJob:
    user = signed_in(request)
    rows = TrainingJob.objects.visible_to(user).named().filter(number=number)
    job = load_within(request, slug, rows, "There is no such training, or you may not see it.")
    if permission is not Permission.MODELS_VIEW:
        require(user, permission, Scope(job.assistant_id))
    return job
