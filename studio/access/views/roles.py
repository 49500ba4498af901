"""Roles: named sets of permissions, and who has them."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from studio.access.categories import CATEGORIES
from studio.access.forms.roles import RoleForm
from studio.access.loaders import load_role, require, signed_in
from studio.access.models import Role, User
from studio.access.permissions import Permission
from studio.access.ready_made import READY_MADE, ReadyMade
from studio.access.rights import beyond
from studio.access.services import roles as service
from studio.access.services.last_admin import ADMIN
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

FORM = ["GET", "HEAD", "POST"]
HOLDERS = 50


@dataclass(frozen=True, slots=True)
class Box:
    """One permission in the table of a role: whether it is in it, and whether the viewer may put it there."""

    permission: Permission
    is_held: bool
    is_given: bool


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    view: list[Box]
    modify: list[Box]


@require_safe
def role_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    context = {"roles": _counted(), "of": len(Permission)}
    return render(request, "access/roles.html", context)


def _counted() -> QuerySet[Role]:
    by_group = ~Q(grants__group="")
    return Role.objects.annotate(
        people_count=Count("grants__user", distinct=True),
        groups_count=Count("grants__group", filter=by_group, distinct=True),
    )


@require_http_methods(FORM)
def role_new(request: HttpRequest) -> HttpResponse:
    """`?from=` names the role to begin with a copy of."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    copied = Role.objects.filter(name=request.GET.get("from", "").replace("\0", "")).first()
    return _edit(request, None, copied)


@require_http_methods(FORM)
def role_detail(request: HttpRequest, name: str) -> HttpResponse:
    return _edit(request, load_role(request, name))


def _edit(request: HttpRequest, role: Role | None, copied: Role | None = None) -> HttpResponse:
    actor = signed_in(request)
    form = RoleForm(request.POST or None, initial=_initial(role) if role else _copy(copied))
    if form.is_valid():
        try:
            saved = service.save_role(actor=actor, role=role, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"The role {saved} is saved.")
            return redirect("access:roles")
    context = {
        "form": form,
        "role": role,
        "copied": copied,
        "lines": _lines(form, actor),
        "grants": role.grants.select_related("user")[:HOLDERS] if role else [],
        "is_whole": role is not None and role.name == ADMIN,
        "is_beyond": role is not None and bool(beyond(actor, role.permissions)),
    }
    return render(request, "access/role.html", context, status=422 if form.is_bound else 200)


def _initial(role: Role) -> dict[str, object]:
    return {
        "name": role.name,
        "description": role.description,
        "is_default": role.is_default,
        "permissions": role.permissions,
    }


def _copy(role: Role | None) -> dict[str, object]:
    if role is None:
        return {}
    return {**_initial(role), "name": f"{role.name}-copy", "is_default": False}


def _lines(form: RoleForm, actor: User) -> list[Line]:
    """The table of the role page: each subject with its boxes for looking and for changing."""
    held = set(form["permissions"].value() or ())

    def box(permission: Permission) -> Box:
        return Box(permission, permission in held, actor.may(permission))

    return [
        Line(one.title, [box(one.view)] if one.view else [], [box(permission) for permission in one.modify])
        for one in CATEGORIES
    ]


@dataclass(frozen=True, slots=True)
class Offer:
    role: ReadyMade
    is_here: bool
    is_beyond: bool

    @property
    def labels(self) -> list[str]:
        return [permission.label for permission in Permission if permission in self.role.permissions]


@require_http_methods(FORM)
def ready_made(request: HttpRequest) -> HttpResponse:
    """Roles to add as they are."""
    actor = signed_in(request)
    require(actor, Permission.PEOPLE_MODIFY)
    if request.method == "POST":
        return _add_ready_made(request, actor)
    here = set(Role.objects.values_list("name", flat=True))
    offers = [Offer(one, one.name in here, bool(beyond(actor, one.permissions))) for one in READY_MADE]
    return render(request, "access/ready_made.html", {"offers": offers, "of": len(Permission)})


def _add_ready_made(request: HttpRequest, actor: User) -> HttpResponse:
    offer = next((one for one in READY_MADE if one.name == request.POST.get("role")), None)
    try:
        if offer is not None:
            messages.success(request, f"The role {service.add_ready_made(actor=actor, offer=offer)} is here.")
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("access:roles-ready-made")


@require_http_methods(FORM)
def role_delete(request: HtmxHttpRequest, name: str) -> HttpResponse:
    role = load_role(request, name)
    refused = service.why_role_stays(role)
    if request.method == "POST":
        try:
            service.delete_role(actor=signed_in(request), role=role)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"The role {role} is deleted.")
            return go(request, reverse("access:roles"))
    context = {
        "heading": f"Delete the role {role}",
        "text": "" if refused else "Nobody has it, so nobody loses anything.",
        "confirm_label": "Delete the role",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)
