"""What somebody may do in one place, and why; and who may do what there."""

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema

from studio.access import scopes
from studio.access.api.shapes import GrantOut, Places, Where, by_scope, chosen, grants_out
from studio.access.categories import in_order
from studio.access.loaders import load_person_named, require, signed_in
from studio.access.models import Grant, User
from studio.access.permissions import Permission
from studio.access.rights import covering, explain, grants_of, holders, near
from studio.access.scopes import Place
from studio.web.api.paging import Paging, page

router = Router(tags=["rights"])


class RightOut(Schema):
    """`by`: grants that give it in the whole place; `partly_by`: in a part of it alone."""

    permission: str
    label: str
    held: bool
    by: list[GrantOut]
    partly_by: list[GrantOut]


class RightsHolderOut(Schema):
    username: str
    name: str
    permissions: list[str]
    grants: list[GrantOut]


class Asked(Where):
    permission: Permission | None = Field(None, description="Who may do this; otherwise who may do anything")


@router.get("/user/access", summary="What one may do, and why", url_name="user-access", response=list[RightOut])
def own_access(request: HttpRequest, where: Query[Where]) -> list[dict[str, object]]:
    """What one's grants say; a token may narrow it: see /user."""
    person = User.objects.get(pk=signed_in(request).pk)
    return _rights(person, where, near(person, scopes.places()))


@router.get("/users/{name}/access", summary="What somebody may do", url_name="access-of-user", response=list[RightOut])
def access_of(request: HttpRequest, name: Path[str], where: Query[Where]) -> list[dict[str, object]]:
    return _rights(load_person_named(request, name), where, scopes.places())


def _rights(person: User, where: Where, places: list[Place]) -> list[dict[str, object]]:
    explained, known = explain(person, chosen(where, places)[0]), by_scope(places)
    return [
        {
            "permission": permission,
            "label": permission.label,
            "held": bool(explained[permission].by),
            "by": grants_out(explained[permission].by, known),
            "partly_by": grants_out(explained[permission].partly_by, known),
        }
        for permission in in_order()
    ]


@router.get("/access", summary="Who may do what in a place", url_name="access", response=list[RightsHolderOut])
def who(
    request: HttpRequest, response: HttpResponse, asked: Query[Asked], paging: Query[Paging]
) -> list[dict[str, object]]:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    places = scopes.places()
    scope, _ = chosen(asked, places)
    people = page(request, response, holders(scope, asked.permission), paging, by="username")
    grants = grants_of(people, covering(scope).select_related("user"))
    return [_holder(person, grants[person.pk], by_scope(places)) for person in people]


def _holder(person: User, grants: list[Grant], places: Places) -> dict[str, object]:
    held = {one for row in grants for one in row.role.permissions}
    return {
        "username": person.username,
        "name": person.name,
        "permissions": [one.value for one in in_order() if one in held],
        "grants": grants_out(grants, places),
    }
