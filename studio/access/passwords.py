"""Signing in with a user name and a password, from a page or from the API: the same guesses are counted."""

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest

from studio.access.models import User
from studio.access.permissions import Permission
from studio.access.services import sign_in
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.errors import DomainError
from studio.web.addresses import client_address


def check_password(request: HttpRequest, username: str, password: str) -> User:
    """Whose they are. Raises DomainError with a sentence for whoever tried, `LockedOut` after too many failures."""
    address = client_address(request)
    sign_in.refuse_locked_out(username, address)
    person = authenticate(request, username=username, password=password)
    if not isinstance(person, User) or person.kind == User.Kind.SERVICE:
        sign_in.record_failure(username, address)
        raise DomainError("This user name and password do not belong together.", code="wrong-password")
    if not settings.LOCAL_SIGN_IN and not person.may(Permission.PEOPLE_MODIFY):
        message = f"Only administrators sign in with a password here. Use {settings.OIDC_NAME}."
        refusals.note(request, Action.SIGN_IN_REFUSED, reason=message, actor_label=person.username)
        raise DomainError(message)
    sign_in.record_success(person, by="password")
    return person
