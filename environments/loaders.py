"""From a URL to an environment: 404 when the viewer may not see it, 403 when they may not act on it."""

from django.db.models import Exists, QuerySet
from django.http import Http404, HttpRequest

from environments.models import Environment, Slot
from environments.rights import modify_permission, scope_of
from models_app.loaders import load_within
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope
from studio.jobs import heartbeat


def load_environment(
    request: HttpRequest, slug: str, name: str, permission: Permission = Permission.ENVIRONMENTS_VIEW
) -> Environment:
    """An environment on which the person holds `permission`; whoever holds it nowhere near gets 404.

    With `controller_lives`, which a page of one in trouble asks.
    """
    user, missing = signed_in(request), "There is no such environment, or you may not see it."
    rows = Environment.objects.current().filter(name=name).select_related("tag__model", "server")
    rows = rows.annotate(controller_lives=Exists(heartbeat.living("controller")))
    environment = load_within(request, slug, rows, missing)
    scope = scope_of(environment)
    if not user.may(Permission.ENVIRONMENTS_VIEW, scope) and not user.may(permission, scope):
        raise Http404(missing)
    require(user, permission, scope)
    return environment


def load_modifiable(request: HttpRequest, slug: str, name: str) -> Environment:
    """An environment that the person may modify."""
    environment = load_environment(request, slug, name)
    require(signed_in(request), modify_permission(environment), scope_of(environment))
    return environment


def visible_slots(viewer: User) -> QuerySet[Slot]:
    """Of every assistant whose environments the viewer may modify; 403 when there is none."""
    if not viewer.may_somewhere(Permission.ENVIRONMENTS_MODIFY):
        raise MissingPermission(Permission.ENVIRONMENTS_MODIFY)
    assistants, _environments = viewer.environments_with(Permission.ENVIRONMENTS_MODIFY)
    rows = Slot.objects.select_related("model", "environment__assistant").defer("log", "model__domain")
    return rows if assistants is None else rows.filter(environment__assistant__in=assistants)


def load_slot(request: HttpRequest, pk: int) -> Slot:
    slot = visible_slots(signed_in(request)).filter(pk=pk).first()
    if slot is None:
        raise Http404("There is no such slot, or you may not see it.")
    require(signed_in(request), Permission.ENVIRONMENTS_MODIFY, Scope(slot.environment.assistant_id))
    return slot
