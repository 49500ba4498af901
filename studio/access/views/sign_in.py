"""Pages of signing in and out."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from studio.access.forms.sign_in import SignInForm
from studio.access.loaders import signed_in
from studio.access.models import BrowserSession, User
from studio.access.oidc import provider
from studio.access.oidc.views import visitor, way_out
from studio.access.passwords import check_password
from studio.access.services import sessions
from studio.access.services import sign_in as service
from studio.errors import DomainError
from studio.web.addresses import client_address, safe_path

BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST or None)
    if form.is_valid():
        try:
            person = check_password(request, form.cleaned_data["username"], form.cleaned_data["password"])
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            _enter(request, person, BrowserSession.By.PASSWORD)
            return redirect(safe_path(request, request.POST.get("next", "")) or settings.LOGIN_REDIRECT_URL)
    return render(request, "access/sign_in.html", _ways_in(request, form), status=422 if form.is_bound else 200)


def _ways_in(request: HttpRequest, form: SignInForm) -> dict[str, object]:
    """Single sign-on first, where there is one; the form for local accounts below it, folded, or only when asked."""
    has_provider = provider.is_configured()
    is_local = form.is_bound or "local" in request.GET or not has_provider
    target = request.POST.get("next", request.GET.get("next", ""))
    return {
        "form": form,
        "next": target,
        "provider": settings.OIDC_NAME if has_provider else "",
        "begin_url": f"{reverse('access:oidc-begin')}?{urlencode({'next': target})}",
        "is_local": is_local,
        "has_local": is_local or settings.LOCAL_SIGN_IN,
    }


def _enter(request: HttpRequest, person: User, by: BrowserSession.By) -> None:
    login(request, person, backend=BACKEND)
    sessions.begin(actor=person, session=request.session, by=by, visitor=visitor(request))


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """The page asks for a click, so that a link preview or virus scanner does not use the link up."""
    if request.method != "POST":
        return render(request, "access/sign_in_link.html")
    address = client_address(request)
    service.refuse_guesses(address)
    person = service.use_link(secret)
    if person is None:
        service.LINK_GUESSES.count(address)
        messages.error(request, "This link was used already or has expired. Ask for a new one.")
        return redirect("access:sign-in")
    _enter(request, person, BrowserSession.By.LINK)
    return redirect(settings.LOGIN_REDIRECT_URL)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Of this browser here, and of the single sign-on that it came by."""
    target = way_out(request)
    sessions.leave(actor=signed_in(request), session=request.session)
    logout(request)
    return redirect(target or settings.LOGOUT_REDIRECT_URL)
