"""Roles: named sets of permissions, and who has them."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from studio.access.categories import CATEGORIES
from studio.access.forms import RoleForm
from studio.access.loaders import load_role, require, signed_in
from studio.access.models import Role
from studio.access.permissions import Permission
from studio.access.services import roles as service
from studio.access.services.last_admin import ADMIN
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

FORM = ["GET", "HEAD", "POST"]


@require_safe
def role_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    roles = Role.objects.annotate(people_count=Count("grants__user", distinct=True))
    return render(request, "access/roles.html", {"roles": roles, "of": len(Permission)})


@require_http_methods(FORM)
def role_new(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    return _edit(request, None)


@require_http_methods(FORM)
def role_detail(request: HttpRequest, name: str) -> HttpResponse:
    return _edit(request, load_role(request, name))


def _edit(request: HttpRequest, role: Role | None) -> HttpResponse:
    form = RoleForm(request.POST or None, initial=_initial(role))
    if form.is_valid():
        try:
            saved = service.save_role(actor=signed_in(request), role=role, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"The role {saved} is saved.")
            return redirect("access:roles")
    context = {
        "form": form,
        "role": role,
        "lines": _lines(form),
        "grants": role.grants.select_related("user")[:50] if role else [],
        "is_whole": role is not None and role.name == ADMIN,
    }
    return render(request, "access/role.html", context, status=422 if form.is_bound else 200)


def _initial(role: Role | None) -> dict[str, object]:
    if role is None:
        return {}
    return {
        "name": role.name,
        "description": role.description,
        "is_default": role.is_default,
        "permissions": role.permissions,
    }


def _lines(form: RoleForm) -> list[dict[str, object]]:
    """The table of the role page: each subject with its boxes for looking and for changing."""
    held = set(form["permissions"].value() or ())
    return [
        {
            "title": one.title,
            "view": [(one.view, one.view in held)] if one.view else [],
            "modify": [(permission, permission in held) for permission in one.modify],
        }
        for one in CATEGORIES
    ]


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
        "text": "Nobody has it, so nobody loses anything.",
        "confirm_label": "Delete the role",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)
