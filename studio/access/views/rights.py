"""What somebody may do in one place, and why; and who may do what there."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from studio.access import scopes
from studio.access.categories import in_order
from studio.access.filters import PlaceFilter, WhoFilter
from studio.access.loaders import load_person, require, signed_in
from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.presentation import GrantLine, grant_lines
from studio.access.rights import covering, explain, grants_of, holders, near
from studio.access.scopes import Place
from studio.web.keyset import page_of


@dataclass(frozen=True, slots=True)
class Right:
    """One line of the table: held in the whole place, in a part of it, or not at all."""

    permission: Permission
    by: list[GrantLine]
    partly_by: list[GrantLine]


@require_safe
def person_access(request: HttpRequest, pk: int) -> HttpResponse:
    person = load_person(request, pk)
    return _access(request, person, scopes.places(), "access/person_access.html")


@require_safe
def own_access(request: HttpRequest) -> HttpResponse:
    """One's own rights, in the places that one's own grants are about: no other is named."""
    person = signed_in(request)
    return _access(request, person, near(person, scopes.places()), "access/account_access.html")


def _access(request: HttpRequest, person: User, places: list[Place], template: str) -> HttpResponse:
    filters = PlaceFilter(request.GET, places=places)
    place = _place(filters)
    rights = _rights(person, place, places)
    context = {
        "person": person,
        "filters": filters,
        "place": place,
        "where": scopes.encode(place.scope) if place else "",
        "rights": rights,
        "held": sum(1 for right in rights if right.by),
    }
    return render(request, template, context)


def _place(filters: PlaceFilter) -> Place | None:
    try:
        return filters.place
    except KeyError:
        raise Http404("There is no such place, or you may not see it.") from None


def _rights(person: User, place: Place | None, places: list[Place]) -> list[Right]:
    explained = explain(person, place.scope if place else EVERYWHERE)
    return [
        Right(
            permission,
            grant_lines(explained[permission].by, places),
            grant_lines(explained[permission].partly_by, places),
        )
        for permission in in_order()
    ]


# --- Who may do what --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with the grants that count in a place, and how many permissions they make."""

    person: User
    grants: list[GrantLine]
    count: int


@require_safe
def who(request: HttpRequest) -> HttpResponse:
    """Everybody who may do anything in one place, or one thing there."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    places = scopes.places()
    filters = WhoFilter(request.GET, places=places)
    place = _place(filters)
    page = page_of(_holders(filters, place), request, by="username")
    context = {
        "filters": filters,
        "place": place,
        "where": scopes.encode(place.scope) if place else "",
        "page": page,
        "rows": _rows(page.rows, place.scope if place else EVERYWHERE, places),
        "of": len(Permission),
    }
    return render(request, "access/who.html", context, status=200 if filters.is_valid() else 422)


def _holders(filters: WhoFilter, place: Place | None) -> QuerySet[User]:
    if not filters.is_valid():
        return User.objects.none()
    wanted = filters.cleaned_data["permission"]
    return holders(place.scope if place else EVERYWHERE, Permission(wanted) if wanted else None)


def _rows(people: list[User], scope: Scope, places: list[Place]) -> list[Holder]:
    grants = grants_of(people, covering(scope))
    return [
        Holder(
            person,
            grant_lines(grants[person.pk], places),
            len({one for row in grants[person.pk] for one in row.role.permissions} & set(Permission)),
        )
        for person in people
    ]
