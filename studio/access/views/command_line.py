"""Sign-in of command lines, at the addresses and in the words of a Keycloak: studio/access/oidc/forwarding.py."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters

from studio.access.oidc import forwarding, provider
from studio.access.oidc.errors import ProviderAway, SingleSignOnError, TooOften
from studio.access.oidc.forwarding import DEVICE_CODE, PASSWORD, REFRESH, Given
from studio.access.passwords import check_password
from studio.access.services import api_sign_in, sign_in, single_sign_on
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.errors import DomainError
from studio.web.addresses import client_address
from studio.web.api import chunks
from studio.web.api.failures import failure
from studio.web.ratelimit import TooMany, allow

MOST_PER_MINUTE = 300  # from one address; whoever waits for a device code asks every five seconds
View = Callable[[HttpRequest], HttpResponse]


def _for_programs(*methods: str) -> Callable[[View], View]:
    """No browser comes here: no session, no page of an error. Every failure has a `message`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest) -> HttpResponse:
            if request.method not in methods:
                refused = failure(405, "MethodNotAllowed", f"This address answers {' and '.join(methods)} alone.")
                refused["Allow"] = ", ".join(methods)
                return refused
            try:
                if not allow(f"cli-sign-in:{client_address(request)}", MOST_PER_MINUTE, 60):
                    raise TooOften("Too many sign-ins from this address. Wait a minute and try again.")
                chunks.gather(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
                return view(request)
            except DomainError as error:
                return _failed(request, error)

        return csrf_exempt(login_not_required(never_cache(answer)))

    return decorate


@_for_programs("POST")
@sensitive_post_parameters("password", "refresh_token", "device_code", "totp")
def token(request: HttpRequest) -> HttpResponse:
    """Tokens for a password, a refresh token or a device code."""
    form = request.POST.dict()
    if any("\0" in value for value in form.values()):
        return _said(400, {"error": "invalid_request", "error_description": "The form holds a NUL character."})
    if not provider.is_configured():
        return _own(request, form)
    if form.get("grant_type") == PASSWORD:
        sign_in.refuse_locked_out(form.get("username", ""), client_address(request))
    given = forwarding.ask_for_tokens(form)
    _note(request, form, given)
    return _said(given.status, given.body)


def _note(request: HttpRequest, form: dict[str, Any], given: Given) -> None:
    """Guesses count as at the sign-in page, and whoever is let in is in the audit log."""
    kind = form.get("grant_type")
    if kind == PASSWORD and given.body.get("error") == "invalid_grant":
        sign_in.record_failure(form.get("username", ""), client_address(request))
    elif given.person is not None and kind in {PASSWORD, DEVICE_CODE}:
        sign_in.record_success(given.person, by="single sign-on")


def _own(request: HttpRequest, form: dict[str, Any]) -> HttpResponse:
    """Without single sign-on: accounts of this installation."""
    kind = form.get("grant_type")
    if kind == PASSWORD:
        person = check_password(request, form.get("username", ""), form.get("password", ""))
        return JsonResponse(api_sign_in.session_for(person))
    if kind == REFRESH:
        found = api_sign_in.refreshed(form.get("refresh_token", ""))
        over = {"error": "invalid_grant", "error_description": "This session is over. Sign in again."}
        return JsonResponse(found) if found else _said(400, over)
    return _said(400, {"error": "unsupported_grant_type", "error_description": "There is no sign-in of this kind."})


@_for_programs("POST")
def device(request: HttpRequest) -> HttpResponse:
    """A code that a person types into any browser, where they are signed in to the provider."""
    if not provider.is_configured():
        return failure(404, "NotFound", "There is no single sign-on here. Sign in with a password, or an API token.")
    given = forwarding.ask_for_code(request.POST.dict())
    return _said(given.status, given.body)


@_for_programs("GET", "HEAD")
def describe(request: HttpRequest) -> HttpResponse:
    return JsonResponse(forwarding.description())


def _said(status: int, body: dict[str, Any]) -> HttpResponse:
    if status != 200:
        body = {**body, "message": str(body.get("error_description") or body.get("error") or "It failed.")}
    return JsonResponse(body, status=status)


def _failed(request: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, SingleSignOnError) and not isinstance(error, ProviderAway):
        reason = f"{error.message} ({error.code})"
        refusals.note(request, Action.SIGN_IN_REFUSED, reason=reason, actor_label=single_sign_on.ACTOR)
    status: int = 401 if error.code == "wrong-password" else getattr(error, "status", 403)
    known = "invalid_grant" if status == 401 else "access_denied" if status == 403 else "temporarily_unavailable"
    answer = _said(429 if isinstance(error, TooMany) else status, {"error": known, "error_description": error.message})
    if isinstance(error, TooMany):
        answer["Retry-After"] = str(error.seconds)
    return answer
