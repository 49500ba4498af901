"""One's own account: who one is here, and the password."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from studio.access import scopes
from studio.access.forms.sign_in import PasswordForm
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.passwords import change_own, is_kept_elsewhere
from studio.access.presentation import grant_lines, session_lines
from studio.access.rights import grants_of
from studio.access.services import sessions
from studio.errors import DomainError


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    if is_kept_elsewhere(person):
        return _kept_elsewhere(request, person)
    form = PasswordForm(request.POST or None, has_password=person.has_usable_password())
    if form.is_valid() and _change(request, person, form):
        messages.success(request, "Your password is changed. Every other session of yours is signed out.")
        return redirect("access:account")
    context = {"form": form, **_about(request, person)}
    return render(request, "access/account.html", context, status=422 if form.is_bound else 200)


def _kept_elsewhere(request: HttpRequest, person: User) -> HttpResponse:
    """Of people of the single sign-on nothing is changed here: a password of ours would outlive their account there."""
    context = {"is_kept_elsewhere": True, **_about(request, person)}
    return render(request, "access/account.html", context, status=422 if request.method == "POST" else 200)


def _about(request: HttpRequest, person: User) -> dict[str, object]:
    return {
        "person": person,
        "provider": settings.OIDC_NAME,
        "grants": grant_lines(grants_of([person])[person.pk], scopes.places()),
        "sessions": session_lines(sessions.sessions_of(person)),
        "is_own": True,
        "here": sessions.here(request.session),
    }


def _change(request: HttpRequest, person: User, form: PasswordForm) -> bool:
    """Whether the new password is set; the form says why not."""
    data, here = form.cleaned_data, sessions.here(request.session)
    try:
        change_own(request, person, current=data.get("current", ""), new=data["new"], keep=here)
    except DomainError as error:
        form.add_error({"weak-password": "new", "wrong-password": "current"}.get(error.code), error.message)
        return False
    update_session_auth_hash(request, person)  # this session goes on, all others have ended
    sessions.move(request.session)
    return True
