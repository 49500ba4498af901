"""Grants: which roles people and groups hold, where, and since when."""

from django.contrib import messages
from django.db.models import F, Func
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from studio.access import scopes
from studio.access.filters import GrantFilter
from studio.access.forms.grants import GrantForm, NewGrantForm
from studio.access.loaders import load_grant, load_person, require, signed_in
from studio.access.models import Grant, User
from studio.access.permissions import Permission
from studio.access.presentation import GrantLine, grant_lines
from studio.access.services import grants
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

FORM = ["GET", "HEAD", "POST"]
SUGGESTED = 200


@require_safe
def grant_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    places = scopes.places()
    filters = GrantFilter(request.GET, places=places)
    page = page_of(filters.apply(Grant.objects.select_related("user", "role", "created_by")), request)
    context = {"filters": filters, "page": page, "lines": grant_lines(page.rows, places)}
    return render(request, "access/grants.html", context, status=200 if filters.is_valid() else 422)


@require_http_methods(FORM)
def grant_add(request: HtmxHttpRequest) -> HttpResponse:
    """A role for a person or a group; `?group=` and `?where=` fill the form in."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    form = NewGrantForm(request.POST or None, places=scopes.places(), initial=_asked_for(request))
    if form.is_valid() and _give(request, form):
        return _back(request, reverse("access:grants"))
    context = {"heading": "Give a role", "form": form, "people": _some_people(), "groups": _known_groups()}
    return render(request, "access/grant_dialog.html", context, status=422 if form.is_bound else 200)


def _asked_for(request: HttpRequest) -> dict[str, str]:
    group = request.GET.get("group", "")
    kind = {"kind": NewGrantForm.GROUP, "who": group} if group else {"kind": NewGrantForm.PERSON}
    return {**kind, "where": request.GET.get("where", "")}


def _some_people() -> list[str]:
    return list(User.objects.order_by("username").values_list("username", flat=True)[:SUGGESTED])


def _known_groups() -> list[str]:
    """As far as people of them have signed in, or grants name them."""
    of_people = User.objects.annotate(one=Func(F("groups"), function="unnest")).values_list("one", flat=True)
    of_grants = Grant.objects.exclude(group="").order_by().values_list("group", flat=True)
    return sorted({*of_people.order_by().distinct()[:SUGGESTED], *of_grants.distinct()[:SUGGESTED]})


def _give(request: HttpRequest, form: NewGrantForm) -> bool:
    """Whether it is given; the form says why not."""
    scope, label = form.chosen
    role, who = form.cleaned_data["role"], form.cleaned_data["who"]
    actor = signed_in(request)
    try:
        if form.person is not None:
            grants.grant(actor=actor, person=form.person, role=role, scope=scope, scope_label=label)
        else:
            grants.grant_to_group(actor=actor, group=who, role=role, scope=scope, scope_label=label)
    except DomainError as error:
        form.add_error("role", error.message)
        return False
    messages.success(request, f"{form.person or f'The group {who}'} is {role} {label or 'everywhere'} now.")
    return True


@require_http_methods(FORM)
def grant_take(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _take(request, load_grant(request, pk), reverse("access:grants"))


@require_http_methods(FORM)
def grant_new(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """A role for the person whose page it is."""
    person = load_person(request, pk)
    form = GrantForm(request.POST or None, places=scopes.places(), initial={"where": request.GET.get("where", "")})
    if form.is_valid():
        scope, label = form.chosen
        role = form.cleaned_data["role"]
        try:
            grants.grant(actor=signed_in(request), person=person, role=role, scope=scope, scope_label=label)
        except DomainError as error:
            form.add_error("role", error.message)
        else:
            messages.success(request, f"{person} is {role} {label or 'everywhere'} now.")
            return _back(request, reverse("access:person", args=[pk]))
    return form_dialog(request, form, f"Give {person} a role", "Give the role")


@require_http_methods(FORM)
def grant_revoke(request: HtmxHttpRequest, pk: int, grant_pk: int) -> HttpResponse:
    person = load_person(request, pk)
    return _take(request, load_grant(request, grant_pk, user_id=person.pk), reverse("access:person", args=[pk]))


def _take(request: HtmxHttpRequest, grant: Grant, back: str) -> HttpResponse:
    holder = grant.user or f"the group {grant.group}"
    line = grant_lines([grant], scopes.places())[0]
    refused = line.stays
    if request.method == "POST":
        try:
            grants.revoke(actor=signed_in(request), grant=grant)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, _taken(grant, line))
            return _back(request, back)
    context = {
        "heading": f"Take a role from {holder}",
        "text": f"{grant.role} · {line.where}. It counts from the next click of whoever held it.",
        "confirm_label": "Take the role",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)


def _taken(grant: Grant, line: GrantLine) -> str:
    where = "everywhere" if line.where == "Everywhere" else line.where
    return f"{grant.user or f'The group {grant.group}'} is no longer {grant.role} {where}."


def _back(request: HtmxHttpRequest, url: str) -> HttpResponse:
    return go(request, url) if request.htmx else redirect(url)
