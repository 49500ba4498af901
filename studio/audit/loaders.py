"""What of the audit log somebody may read."""

from django.http import Http404, HttpRequest

from studio.access import scopes
from studio.access.loaders import signed_in
from studio.access.permissions import MissingPermission, Permission
from studio.access.scopes import Place
from studio.audit.models import AuditEvent
from studio.audit.querysets import AuditEventQuerySet


def readable(request: HttpRequest) -> AuditEventQuerySet:
    """403 for whoever may read it nowhere."""
    user = signed_in(request)
    if not user.may_somewhere(Permission.AUDIT_VIEW):
        raise MissingPermission(Permission.AUDIT_VIEW)
    return AuditEvent.objects.visible_to(user)


def load_event(request: HttpRequest, pk: int) -> AuditEvent:
    event = readable(request).select_related("actor").filter(pk=pk).first()
    if event is None:
        raise Http404("There is no such event, or you may not see it.")
    return event


def places_of(request: HttpRequest) -> list[Place]:
    """Where somebody may read it."""
    user = signed_in(request)
    return [place for place in scopes.places() if user.may(Permission.AUDIT_VIEW, place.scope)]
