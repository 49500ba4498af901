"""Ending the sessions of somebody else: one browser, or all of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from studio.access.loaders import load_person, signed_in
from studio.access.models import User
from studio.access.presentation import browser_of
from studio.access.services import sessions
from studio.web.htmx import HtmxHttpRequest, go

FORM = ["GET", "HEAD", "POST"]


@require_http_methods(FORM)
def end_one(request: HtmxHttpRequest, pk: int, session_pk: int) -> HttpResponse:
    person = load_person(request, pk)
    session = get_object_or_404(sessions.sessions_of(person), pk=session_pk)
    browser = browser_of(session.agent)
    if request.method == "POST":
        sessions.end_session(actor=signed_in(request), session=session)
        return _done(request, person, f"{person} is signed out of {browser}.")
    text = f"{browser} is signed out with the next click there. They can sign in again; to prevent that, shut them out."
    return _confirm(request, f"End a session of {person}", text, "End the session")


@require_http_methods(FORM)
def end_all(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    if request.method == "POST":
        sessions.end_all(actor=signed_in(request), person=person)
        return _done(request, person, f"{person} is signed out everywhere.")
    text = (
        "Every browser is signed out with the next click there. They can sign in again; to prevent that, shut them out."
    )
    return _confirm(request, f"End all sessions of {person}", text, "End all sessions")


def _confirm(request: HttpRequest, heading: str, text: str, label: str) -> HttpResponse:
    context = {"heading": heading, "text": text, "confirm_label": label, "danger": True}
    return render(request, "components/confirm.html", context)


def _done(request: HtmxHttpRequest, person: User, text: str) -> HttpResponse:
    url = reverse("access:person", args=[person.pk])
    messages.success(request, text)
    return go(request, url) if request.htmx else redirect(url)
