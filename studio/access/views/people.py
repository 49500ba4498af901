"""Who there is, what each may do and where, and how each gets in."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from studio.access import scopes
from studio.access.filters import PeopleFilter
from studio.access.forms.people import NewPersonForm, PersonForm
from studio.access.loaders import load_person, require, signed_in
from studio.access.models import User
from studio.access.oidc.keycloak import admin_page
from studio.access.permissions import Permission
from studio.access.presentation import GrantLine, grant_lines, session_lines
from studio.access.rights import grants_of
from studio.access.services import people, sessions, sign_in
from studio.access.token_lines import list_of
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import NEWEST_FIRST, page_of

FORM = ["GET", "HEAD", "POST"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    person: User
    grants: list[GrantLine]

    @property
    def state(self) -> tuple[str, str]:
        return state_of(self.person)

    @property
    def seen_at(self) -> datetime | None:
        return self.person.last_seen_at or self.person.last_login


def state_of(person: User) -> tuple[str, str]:
    """Kind and word of the `{% status %}` tag."""
    if not person.is_active:
        return "silent", "Shut out"
    if person.kind == User.Kind.SERVICE:
        return "running", "Service account"
    return ("busy", "Expected") if person.awaits_identity else ("running", "Active")


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    filters = PeopleFilter(request.GET)
    by_name = request.GET.get("sort") == "name"
    page = page_of(filters.apply(User.objects.all()), request, by="username" if by_name else NEWEST_FIRST)
    grants, places = grants_of(page.rows), scopes.places()
    context = {
        "filters": filters,
        "page": page,
        "rows": [Row(person, grant_lines(grants[person.pk], places)) for person in page.rows],
        "by_name": by_name,
        "total": User.objects.count(),
    }
    return render(request, "access/people.html", context, status=200 if filters.is_valid() else 422)


@never_cache
@require_http_methods(FORM)
def person_new(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    form = NewPersonForm(request.POST or None, places=scopes.places(), has_single_sign_on=has_single_sign_on())
    if form.is_valid():
        try:
            return _added(request, form)
        except DomainError as error:
            form.add_error("role" if error.code == "beyond" else "username", error.message)
    return form_dialog(request, form, "Add a person", "Add the person")


@transaction.atomic
def _added(request: HtmxHttpRequest, form: NewPersonForm) -> HttpResponse:
    """Their link; or, of somebody who comes by single sign-on, their page. Refused together: no link, no person."""
    scope, label = form.chosen
    data = form.cleaned_data
    person = people.add_person(
        actor=signed_in(request),
        username=data["username"],
        name=data["name"],
        email=data["email"],
        role=data["role"],
        scope=scope,
        scope_label=label,
        awaits_identity=form.awaits_identity,
    )
    if person.awaits_identity:
        return _done(request, person, f"{person} is expected, and comes in by single sign-on.")
    return _show_link(request, person, f"{person} is here")


def _show_link(request: HttpRequest, person: User, heading: str) -> HttpResponse:
    """The link is in this answer and nowhere else: the database has its digest alone."""
    secret = sign_in.make_link(actor=signed_in(request), person=person)
    context = {
        "heading": heading,
        "person": person,
        "link": f"{settings.PUBLIC_URL}{reverse('access:sign-in-link', args=[secret])}",
        "minutes": int(sign_in.LINK_LIFE.total_seconds() // 60),
    }
    return render(request, "access/link_made.html", context)


def has_single_sign_on() -> bool:
    return bool(settings.OIDC_ISSUER)


@require_safe
def person_detail(request: HttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    if person.kind == User.Kind.SERVICE:
        return redirect("access:service", person.pk)
    is_self, places = person.pk == signed_in(request).pk, scopes.places()
    context = {
        "person": person,
        "state": state_of(person),
        "seen_at": person.last_seen_at or person.last_login,
        "grants": grant_lines(grants_of([person])[person.pk], places),
        "is_self": is_self,
        "is_foreign": not is_self,
        "tokens": list_of(person, places, shows_all=request.GET.get("show") == "all"),
        "may_read_audit": signed_in(request).may(Permission.AUDIT_VIEW),
        "sessions": session_lines(sessions.sessions_of(person)),
        "provider": settings.OIDC_NAME,
        "provider_pages": [page for identity in person.identities.all() if (page := admin_page(identity))],
    }
    return render(request, "access/person.html", context)


@require_http_methods(FORM)
def person_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    initial = {"name": person.name, "email": person.email}
    form = PersonForm(request.POST or None, initial=initial)
    if form.is_valid():
        people.change_person(actor=signed_in(request), person=person, **form.cleaned_data)
        return _done(request, person, "Saved.")
    return form_dialog(request, form, f"Edit {person}")


@never_cache
@require_http_methods(FORM)
def person_link(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    refused = sign_in.why_no_link(actor=signed_in(request), person=person)
    if request.method == "POST":
        try:
            return _show_link(request, person, f"A link for {person}")
        except DomainError as error:
            refused = error.message
    context = {
        "heading": f"Make a sign-in link for {person}",
        "text": "Whoever opens it is signed in as this person, once. Give it to nobody else.",
        "confirm_label": "Make the link",
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(FORM)
def person_shut_out(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _set_active(
        request,
        pk,
        False,
        heading="Shut {} out",
        text="Their sessions, sign-in links and API tokens end at once, the tokens for good. Their roles stay, and "
        "what they did stays in the history.",
        confirm_label="Shut out",
        done="{} is shut out.",
    )


@require_http_methods(FORM)
def person_let_in(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _set_active(
        request,
        pk,
        True,
        heading="Let {} in again",
        text="They can sign in as before, with the roles they have.",
        confirm_label="Let in",
        done="{} can sign in again.",
    )


def _set_active(request: HtmxHttpRequest, pk: int, is_active: bool, **words: str) -> HttpResponse:
    person = load_person(request, pk)
    refused = ""
    if request.method == "POST":
        try:
            people.set_active(actor=signed_in(request), person=person, is_active=is_active)
        except DomainError as error:
            refused = error.message
        else:
            return _done(request, person, words["done"].format(person))
    context = {
        "heading": words["heading"].format(person),
        "text": words["text"],
        "confirm_label": words["confirm_label"],
        "danger": not is_active,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_http_methods(FORM)
def person_delete(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    refused = _deleted(request, person) if request.method == "POST" else ""
    if request.method == "POST" and not refused:
        messages.success(request, f"{person} is deleted.")
        url = reverse("access:people")
        return go(request, url) if request.htmx else redirect(url)
    context = {
        "heading": f"Delete {person}",
        "text": "Their sessions, tokens and roles end at once and for good. What they did stays in the history, under "
        "the user name. Whoever signs in by single sign-on can come again, as somebody new: to keep a person out, "
        "shut them out instead.",
        "confirm_label": "Delete the person",
        "typed": person.username,
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


def _deleted(request: HttpRequest, person: User) -> str:
    """Why they were not deleted, or nothing."""
    if request.POST.get("typed", "").strip() != person.username:
        return f"Type {person.username} to confirm."
    try:
        people.delete_person(actor=signed_in(request), person=person)
    except DomainError as error:
        return error.message
    return ""


def _done(request: HtmxHttpRequest, person: User, text: str) -> HttpResponse:
    messages.success(request, text)
    url = reverse("access:person", args=[person.pk])
    return go(request, url) if request.htmx else redirect(url)
