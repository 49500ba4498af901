"""The one way from a URL to a row: 404 when the viewer may not see it, 403 when they may not act on it."""

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from studio.access.models import ApiToken, Grant, Role, User
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


def load_person_named(request: HttpRequest, username: str) -> User:
    """The same by user name, however its letters are written."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(User.objects.called(username))


def load_grant(request: HttpRequest, pk: int, **of: object) -> Grant:
    """A grant; `of` is what else must be true of it, such as `user_id`."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(Grant.objects.select_related("user", "role"), pk=pk, **of)


def load_role(request: HttpRequest, name: str) -> Role:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(Role, name=name)


def load_service(request: HttpRequest, pk: int) -> User:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(User, pk=pk, kind=User.Kind.SERVICE)


def load_service_named(request: HttpRequest, username: str) -> User:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return get_object_or_404(User.objects.called(username), kind=User.Kind.SERVICE)


def load_token(request: HttpRequest, *, for_secret: bool = False, **of: object) -> ApiToken:
    """By `pk` or `key`: one's own; whoever manages people also those of others. `for_secret`: of others, those of
    service accounts alone, because whoever reads a person's token acts in that person's name."""
    user = signed_in(request)
    seen = ApiToken.objects.select_related("user")
    if not user.may(Permission.PEOPLE_MODIFY):
        seen = seen.filter(user=user)
    elif for_secret:
        seen = seen.filter(Q(user=user) | Q(user__kind=User.Kind.SERVICE))
    return get_object_or_404(seen, **of)
