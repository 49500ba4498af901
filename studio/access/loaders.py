"""The one way from a URL to a row: 404 when the viewer may not see it, 403 when they may not act on it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from studio.access.models import Grant, Role, User
from studio.access.permissions import EVERYWHERE, MissingPermission, Permission, Scope


def signed_in(request: HttpRequest) -> User:
    """The request's person; LoginRequiredMiddleware has turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user


def require(user: User, permission: Permission, scope: Scope = EVERYWHERE) -> None:
    """Raise PermissionDenied with a sentence that names the missing permission."""
    if not user.may(permission, scope):
        raise MissingPermission(permission)


def load_person(request: HttpRequest, pk: int) -> User:
    """Somebody of the people pages; whoever may not manage people learns nothing about who there is."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(User, pk=pk)


def load_grant(request: HttpRequest, pk: int, **of: object) -> Grant:
    """A grant; `of` is what else must be true of it, such as `user_id`."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(Grant.objects.select_related("user", "role"), pk=pk, **of)


def load_role(request: HttpRequest, name: str) -> Role:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(Role, name=name)
