"""The one way from a URL to a row: 404 when the viewer may not see it, 403 when they may not act on it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope


def signed_in(request: HttpRequest) -> User:
    """The request's person; LoginRequiredMiddleware has turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user


def require(user: User, permission: Permission, scope: Scope = EVERYWHERE) -> None:
    """Raise PermissionDenied with a sentence that names the missing permission."""
    if not user.may(permission, scope):
        raise PermissionDenied(f"Your roles do not include “{permission.label}” here.")
