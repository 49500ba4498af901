"""Pages of signing in and out."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from studio.access.forms import SignInForm
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.services import sign_in as service
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import DomainError
from studio.web.addresses import client_address

BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST or None)
    if form.is_valid():
        try:
            person = _check_password(request, form.cleaned_data["username"], form.cleaned_data["password"])
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            login(request, person, backend=BACKEND)
            return redirect(_next(request))
    context = {"form": form, "next": request.POST.get("next", request.GET.get("next", ""))}
    return render(request, "access/sign_in.html", context, status=422 if form.is_bound else 200)


def _check_password(request: HttpRequest, username: str, password: str) -> User:
    address = client_address(request)
    service.refuse_locked_out(username, address)
    person = authenticate(request, username=username, password=password)
    if not isinstance(person, User):
        service.record_failure(username, address)
        raise DomainError("This user name and password do not belong together.", code="wrong-password")
    service.record_success(person, by="password")
    return person


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return resolve_url(settings.LOGIN_REDIRECT_URL)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """The page asks for a click, so that a link preview or virus scanner does not use the link up."""
    if request.method != "POST":
        return render(request, "access/sign_in_link.html")
    person = service.use_link(secret)
    if person is None:
        messages.error(request, "This link was used already or has expired. Ask for a new one.")
        return redirect("access:sign-in")
    login(request, person, backend=BACKEND)
    return redirect(settings.LOGIN_REDIRECT_URL)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        record(signed_in(request), Action.SIGNED_OUT)
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)
