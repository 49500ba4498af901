"""The round trip to the provider, and the provider's own word that a session has ended."""

import hashlib
import secrets
import time
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from mozilla_django_oidc.utils import add_state_and_verifier_and_nonce_to_session, generate_code_challenge

from studio.access.models import BrowserSession, User
from studio.access.oidc import backend, provider, tokens
from studio.access.oidc.errors import (
    ProviderAway,
    ProviderRefuses,
    SingleSignOnError,
    StateUnknown,
    TokenRefused,
    TooOften,
)
from studio.access.oidc.person import Arrival
from studio.access.services import sessions, single_sign_on
from studio.access.services import sign_in as service
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.crypto import decrypt
from studio.web.addresses import client_address, safe_path
from studio.web.ratelimit import allow

MOST_PER_MINUTE = 300  # from one address, behind which a whole office may be
STATE_SECONDS = 900  # how long somebody may take at the provider's form
_STATES = "oidc_states"  # where mozilla-django-oidc keeps what a sign-in under way needs


@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider's own sign-in page, after asking whether anybody is there."""
    _require_configured()
    if moved := _under_public_address(request):
        return HttpResponseRedirect(moved)
    try:
        _refuse_flood(request, "begin")
        there = provider.current(fresh=True)
    except SingleSignOnError as error:
        return _failed(request, error, safe_path(request, request.GET.get("next", "")))
    asked = _remember(request)
    if "again" in request.GET:
        asked["prompt"] = "login"  # else the provider's own session would lead to the same person at once
    separator = "&" if "?" in there.authorization_endpoint else "?"
    return HttpResponseRedirect(f"{there.authorization_endpoint}{separator}{urlencode(asked)}")


def _require_configured() -> None:
    if not provider.is_configured():
        raise Http404("There is no single sign-on here.")


def _under_public_address(request: HttpRequest) -> str:
    """Where the provider sends browsers back to, when this one is elsewhere: its cookie would not be there."""
    if request.get_host() == urlsplit(settings.PUBLIC_URL).netloc or "moved" in request.GET:
        return ""
    query = urlencode({"next": request.GET.get("next", ""), "moved": "1"})
    return f"{settings.PUBLIC_URL}{request.path}?{query}"


def _refuse_flood(request: HttpRequest, what: str) -> None:
    if not allow(f"oidc-{what}:{client_address(request)}", MOST_PER_MINUTE, 60):
        raise TooOften("Too many sign-ins from this address. Wait a minute and try again.")


def _remember(request: HttpRequest) -> dict[str, str]:
    """What the provider is asked, once the session holds what its answer must fit."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    asked = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": backend.callback_url(),
        "scope": settings.OIDC_SCOPES,
        "state": state,
        "nonce": secrets.token_urlsafe(32),
        "code_challenge": generate_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
    }
    add_state_and_verifier_and_nonce_to_session(request, state, asked, verifier)
    request.session[_STATES][state]["next"] = safe_path(request, request.GET.get("next", ""))
    request.session.modified = True
    return asked


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Where the provider sends the browser back to."""
    _require_configured()
    target = ""
    try:
        _refuse_flood(request, "callback")
        begun = _take_state(request)
        target = begun["next"]
        _check_answer(request)
        person = authenticate(request, nonce=begun["nonce"], code_verifier=begun["code_verifier"])
    except SingleSignOnError as error:
        return _failed(request, error, target)
    if not isinstance(person, User):
        return _failed(request, StateUnknown("The provider sent no answer that Parley understands."), target)
    arrival: Arrival = request.arrival  # type: ignore[attr-defined]
    login(request, person, backend=backend.PATH)
    sessions.begin(
        actor=person,
        session=request.session,
        by=BrowserSession.By.SINGLE_SIGN_ON,
        visitor=visitor(request),
        arrival=arrival,
    )
    service.record_success(person, by="single sign-on")
    return redirect(target or settings.LOGIN_REDIRECT_URL)


def _take_state(request: HttpRequest) -> dict[str, str]:
    """What this browser began, once: an answer that comes again finds nothing."""
    begun = request.session.get(_STATES, {}).pop(request.GET.get("state", ""), None)
    if begun is None or begun["added_on"] < time.time() - STATE_SECONDS:
        raise StateUnknown("This sign-in was finished before, took too long, or was begun in another browser.")
    request.session.modified = True
    request.session.save()  # at once: what follows takes a while
    return dict(begun)


def _check_answer(request: HttpRequest) -> None:
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:  # RFC 9207
        raise TokenRefused("This answer comes from another provider.", code="wrong-issuer")
    error = request.GET.get("error", "")
    if error == "access_denied":
        raise SingleSignOnError(f"{settings.OIDC_NAME} did not let you in, or you turned back.", code="access-denied")
    if error in {"temporarily_unavailable", "server_error"}:
        raise ProviderAway(f"{settings.OIDC_NAME} has trouble of its own.")
    if error:
        raise ProviderRefuses(f"{settings.OIDC_NAME} refused the sign-in ({error[:60]}).")


def _failed(request: HttpRequest, error: SingleSignOnError, target: str) -> HttpResponse:
    """A page that says what happened and what to do; the audit log has it too."""
    _note(request, error)
    context = {
        "error": error,
        "name": settings.OIDC_NAME,
        "next": target,
        "request_id": getattr(request, "request_id", ""),
    }
    return render(request, "access/sign_in_failed.html", context, status=error.status)


def _note(request: HttpRequest, error: SingleSignOnError) -> None:
    """Not the person's doing, who is signed in at most by chance: what was refused is an answer of the provider's."""
    reason = f"{error.message} ({error.code})"
    refusals.note(request, Action.SIGN_IN_REFUSED, reason=reason, actor_label=single_sign_on.ACTOR)


def visitor(request: HttpRequest) -> sessions.Visitor:
    return sessions.Visitor(client_address(request), request.headers.get("User-Agent", ""))


def way_out(request: HttpRequest) -> str:
    """The provider's address that ends its session of this browser too; empty when there is none or nobody answers."""
    row = BrowserSession.objects.filter(pk=sessions.here(request.session)).first()
    if row is None or row.by != BrowserSession.By.SINGLE_SIGN_ON or not provider.is_configured():
        return ""
    try:
        there = provider.current(fresh=True)
    except SingleSignOnError:
        return ""
    if not there.end_session_endpoint:
        return ""
    asked = {
        "client_id": settings.OIDC_CLIENT_ID,
        "id_token_hint": decrypt(row.id_token),
        "post_logout_redirect_uri": f"{settings.PUBLIC_URL}/sign-in",
    }
    return f"{there.end_session_endpoint}?{urlencode(asked)}"


@csrf_exempt  # the provider's server calls, not a browser; what counts is the signature of the token
@login_not_required
@never_cache
@require_POST
def back_channel_logout(request: HttpRequest) -> HttpResponse:
    """The provider says that a session has ended there (OpenID Connect Back-Channel Logout 1.0)."""
    _require_configured()
    try:
        _refuse_flood(request, "logout")
        claims = tokens.verify_logout_token(request.POST.get("logout_token", ""))
    except SingleSignOnError as error:
        _note(request, error)
        return HttpResponse(error.message, status=error.status, content_type="text/plain")
    if _is_first(claims["jti"]):
        sessions.end_of_provider(
            issuer=claims["iss"], provider_session=str(claims.get("sid") or ""), subject=str(claims.get("sub") or "")
        )
    return HttpResponse(status=200)


def _is_first(token_id: object) -> bool:
    """Whether this logout token has not been here before; one that nobody would accept any more may be forgotten."""
    name = hashlib.sha256(str(token_id).encode()).hexdigest()
    return allow(f"logout-token:{name}", 1, 3600)
