"""Where one is signed in oneself: ending another browser, or all of them."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from studio.access.loaders import signed_in
from studio.access.models import BrowserSession
from studio.access.presentation import browser_of
from studio.access.services import sessions
from studio.web.htmx import HtmxHttpRequest, go

FORM = ["GET", "HEAD", "POST"]


@require_http_methods(FORM)
def end_one(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = signed_in(request)
    others = sessions.sessions_of(person).exclude(pk=sessions.here(request.session))  # this one ends by signing out
    session = get_object_or_404(others, pk=pk)
    browser = browser_of(session.agent)
    if request.method == "POST":
        sessions.end_session(actor=person, session=session)
        return _done(request, f"You are signed out of {browser}.")
    text = f"{browser} is signed out with the next click there."
    return _confirm(request, "End this session", text + _of_provider([session]), "End the session")


@require_http_methods(FORM)
def end_others(request: HtmxHttpRequest) -> HttpResponse:
    person, here = signed_in(request), sessions.here(request.session)
    if request.method == "POST":
        sessions.end_others(actor=person, keep=here)
        update_session_auth_hash(request, person)  # this one goes on
        sessions.move(request.session)
        return _done(request, "You are signed out of every other browser.")
    text = "Every browser but this one is signed out with the next click there. API tokens go on."
    others = sessions.sessions_of(person).exclude(pk=here)
    return _confirm(request, "End all other sessions", text + _of_provider(others), "End all others")


def _of_provider(ended: "list[BrowserSession] | sessions.Sessions") -> str:
    """Only the provider ends its own session, which signs the same browser in again."""
    if not any(session.by == BrowserSession.By.SINGLE_SIGN_ON for session in ended):
        return ""
    name = settings.OIDC_NAME
    return f" Where {name} still knows the browser, it lets it in again: end the session there as well."


def _confirm(request: HttpRequest, heading: str, text: str, label: str) -> HttpResponse:
    context = {"heading": heading, "text": text, "confirm_label": label, "danger": True}
    return render(request, "components/confirm.html", context)


def _done(request: HtmxHttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return go(request, reverse("access:account"))
