"""What a person may see of environments. Closed by default."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from environments.models import Environment  # noqa: F401 - named in quotes below
    from studio.access.models import User


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def current(self) -> Self:
        return self.filter(removed_at=None, assistant__deleted_at=None)

    def with_permission(self, user: "User | AnonymousUser", permission: Permission) -> Self:
        """Environments in which the person holds `permission`, by a grant on all, on their assistant, or on them."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, environments = user.environments_with(permission)
        if assistants is None:
            return self.current()
        return self.current().filter(models.Q(assistant_id__in=assistants) | models.Q(pk__in=environments))

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        return self.with_permission(user, Permission.ENVIRONMENTS_VIEW)
