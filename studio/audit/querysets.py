"""Which audit events a person may read. Closed by default."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from studio.access.models import User
    from studio.audit.models import AuditEvent  # noqa: F401 - named in quotes below


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """All of them, or those of the assistants in which the person may read the log."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants = _whole_assistants(user)
        return self if assistants is None else self.filter(assistant_id__in=assistants)


def _whole_assistants(user: "User") -> set[int] | None:
    """An event does not say its environment: a grant for one environment is not enough for its assistant's log."""
    return user.environments_with(Permission.AUDIT_VIEW)[0]
