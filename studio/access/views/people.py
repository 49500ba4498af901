"""Who there is, what each may do and where, and how each gets in."""

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from studio.access import scopes
from studio.access.forms import GrantForm, NewPersonForm, PersonForm
from studio.access.loaders import load_grant, load_person, require, signed_in
from studio.access.models import Grant, User
from studio.access.permissions import Permission
from studio.access.services import grants, people, sign_in
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import NEWEST_FIRST, page_of

FORM = ["GET", "HEAD", "POST"]


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    query = request.GET.get("q", "").strip().replace("\0", "")
    everybody = User.objects.prefetch_related("grants__role")
    named = Q(username__icontains=query) | Q(name__icontains=query) | Q(email__icontains=query)
    by_name = request.GET.get("sort") == "name"
    context = {
        "page": page_of(everybody.filter(named), request, by="username" if by_name else NEWEST_FIRST),
        "query": query,
        "by_name": by_name,
        "total": User.objects.count(),
    }
    return render(request, "access/people.html", context)


@never_cache
@require_http_methods(FORM)
def person_new(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    form = NewPersonForm(request.POST or None, places=scopes.places())
    if form.is_valid():
        try:
            person = _add(request, form)
        except DomainError as error:
            form.add_error("username", error.message)
        else:
            return _show_link(request, person, f"{person} is here")
    context = {"heading": "Add a person", "form": form, "button": "Add the person"}
    return _form(request, context)


def _add(request: HttpRequest, form: NewPersonForm) -> User:
    scope, label = form.chosen
    data = form.cleaned_data
    return people.add_person(
        actor=signed_in(request),
        username=data["username"],
        name=data["name"],
        email=data["email"],
        role=data["role"],
        scope=scope,
        scope_label=label,
    )


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


def _form(request: HttpRequest, context: dict[str, object]) -> HttpResponse:
    status = 422 if request.method == "POST" else 200
    return render(request, "access/form_dialog.html", context, status=status)


@require_safe
def person_detail(request: HttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    current = {scopes.encode(place.scope): place.label for place in scopes.places()}
    context = {
        "person": person,
        "grants": [_grant(row, current) for row in person.grants.select_related("role", "created_by")],
        "is_self": person.pk == signed_in(request).pk,
        "may_read_audit": signed_in(request).may(Permission.AUDIT_VIEW),
    }
    return render(request, "access/person.html", context)


def _grant(row: Grant, current: dict[str, str]) -> dict[str, object]:
    """A grant with today's name of its place; of a place that is gone, the name it had."""
    key = scopes.encode(row.scope)
    where = current.get(key, row.scope_label) if key else "Everywhere"
    return {"row": row, "where": where, "is_gone": bool(key) and key not in current}


@require_http_methods(FORM)
def person_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    initial = {"name": person.name, "email": person.email}
    form = PersonForm(request.POST or None, initial=initial)
    if form.is_valid():
        people.change_person(actor=signed_in(request), person=person, **form.cleaned_data)
        return _done(request, person, "Saved.")
    return _form(request, {"heading": f"Edit {person}", "form": form, "button": "Save"})


@never_cache
@require_http_methods(FORM)
def person_link(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    if request.method == "POST" and person.is_active:
        return _show_link(request, person, f"A link for {person}")
    context = {
        "heading": f"Make a sign-in link for {person}",
        "text": "Whoever opens it is signed in as this person, once. Give it to nobody else.",
        "confirm_label": "Make the link",
        "refused": "" if person.is_active else f"{person} is shut out. Let them in first.",
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(FORM)
def person_shut_out(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _set_active(
        request,
        pk,
        False,
        heading="Shut {} out",
        text="Their sessions and sign-in links end at once. Their roles stay, and what they did stays in the history.",
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
def grant_new(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    form = GrantForm(request.POST or None, places=scopes.places())
    if form.is_valid():
        scope, label = form.chosen
        role = form.cleaned_data["role"]
        grants.grant(actor=signed_in(request), person=person, role=role, scope=scope, scope_label=label)
        return _done(request, person, f"{person} is {role} {label or 'everywhere'} now.")
    return _form(request, {"heading": f"Give {person} a role", "form": form, "button": "Give the role"})


@require_http_methods(FORM)
def grant_revoke(request: HtmxHttpRequest, pk: int, grant_pk: int) -> HttpResponse:
    person, grant = load_person(request, pk), load_grant(request, pk, grant_pk)
    refused = ""
    if request.method == "POST":
        try:
            grants.revoke(actor=signed_in(request), grant=grant)
        except DomainError as error:
            refused = error.message
        else:
            return _done(request, person, f"{person} is not {grant.role} there any more.")
    context = {
        "heading": f"Take a role from {person}",
        "text": f"{grant.role} · {grant.scope_label or 'everywhere'}. It counts from their next click.",
        "confirm_label": "Take the role",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


def _done(request: HtmxHttpRequest, person: User, text: str) -> HttpResponse:
    messages.success(request, text)
    url = reverse("access:person", args=[person.pk])
    return go(request, url) if request.htmx else redirect(url)
