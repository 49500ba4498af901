"""Service accounts, which act by API tokens alone. Roles, shutting out and deleting: as for people, under /users."""

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from studio.access.api.people import NAME
from studio.access.loaders import load_service_named, require, signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.access.services import service_accounts
from studio.web.api import bodies
from studio.web.api.paging import Paging, page

router = Router(tags=["service accounts"])


class Description(bodies.Body):
    description: str = Field("", max_length=300)


class NewService(Description):
    username: str = Field(max_length=150, pattern=NAME)


class ServiceOut(Schema):
    username: str
    description: str
    active: bool
    created_at: float


def _out(row: User) -> dict[str, object]:
    return {
        "username": row.username,
        "description": row.description,
        "active": row.is_active,
        "created_at": row.created_at.timestamp(),
    }


@router.get("/services", summary="Service accounts", url_name="services", response=list[ServiceOut])
def services(request: HttpRequest, response: HttpResponse, paging: Query[Paging]) -> list[dict[str, object]]:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    rows = User.objects.filter(kind=User.Kind.SERVICE)
    return [_out(row) for row in page(request, response, rows, paging, by="username")]


@router.post("/services", summary="Make a service account", url_name="services", response={201: ServiceOut})
def add_service(request: HttpRequest, body: NewService) -> Status[dict[str, object]]:
    """It holds nothing yet: give it a role under /grants, then a token under /users/{name}/tokens."""
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    made = service_accounts.make_service(actor=signed_in(request), username=body.username, description=body.description)
    return Status(201, _out(made))


@router.get("/services/{name}", summary="One service account", url_name="service", response=ServiceOut)
def a_service(request: HttpRequest, name: Path[str]) -> dict[str, object]:
    return _out(load_service_named(request, name))


@router.put("/services/{name}", summary="Say what a service account is for", url_name="service", response=ServiceOut)
def describe(request: HttpRequest, name: Path[str], body: Description) -> dict[str, object]:
    row = load_service_named(request, name)
    service_accounts.describe_service(actor=signed_in(request), service=row, description=body.description)
    return _out(row)
