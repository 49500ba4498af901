"""User names and passwords, shown to a page or to the API: the same guesses are counted."""

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import check_password as is_right
from django.http import HttpRequest

from studio.access.models import User
from studio.access.permissions import Permission
from studio.access.services import people, sign_in
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.errors import Conflict, DomainError
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


def is_kept_elsewhere(person: User) -> bool:
    """Whether the single sign-on keeps the password: one of ours would outlive the account there."""
    return person.identities.filter(issuer=settings.OIDC_ISSUER).exists()


def change_own(request: HttpRequest, person: User, *, current: str, new: str, keep: int = 0) -> None:
    """Set one's own new password and end one's sessions but `keep`; `current` counts unless there is none yet.

    Raises DomainError of the code `wrong-password`, Invalid of `weak-password`, LockedOut, and Conflict of
    `kept-elsewhere`.
    """
    if is_kept_elsewhere(person):
        raise Conflict(f"Your password is kept by {settings.OIDC_NAME}. Change it there.", code="kept-elsewhere")
    address = client_address(request)
    sign_in.refuse_locked_out(person.username, address)
    if person.has_usable_password() and not is_right(current, person.password):
        sign_in.record_failure(person.username, address)
        raise DomainError("This is not your current password.", code="wrong-password")
    people.change_password(actor=person, person=person, password=new, keep=keep)
