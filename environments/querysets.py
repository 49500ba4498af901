"""What a person may see of environments. Closed by default."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from environments.models import Environment  # noqa: F401 - named in quotes below
    from studio.access.models import User


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def in_use(self) -> Self:
        """Wherever conversations are held now: the deployment environments, and where models are tried."""
        return self.filter(removed_at=None, assistant__deleted_at=None)

    def current(self) -> Self:
        """Deployment environments."""
        return self.in_use().exclude(kind="tried")

    def with_permission(self, user: "User | AnonymousUser", permission: Permission) -> Self:
        """Deployments in which the person holds `permission`, by a grant on all, on their assistant, or on them."""
        return self.current()._allowing(user, permission)

    def heard_by(self, user: "User | AnonymousUser", permission: Permission) -> Self:
        """The same of wherever conversations are held."""
        return self.in_use()._allowing(user, permission)

    def _allowing(self, user: "User | AnonymousUser", permission: Permission) -> Self:
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, environments = user.environments_with(permission)
        if assistants is None:
            return self
        return self.filter(models.Q(assistant_id__in=assistants) | models.Q(pk__in=environments))

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        return self.with_permission(user, Permission.ENVIRONMENTS_VIEW)
