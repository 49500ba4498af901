"""Lists of conversations that people come back to, under a name."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.api.exports import query_of
from conversations.loaders import load_filter
from conversations.models import SavedFilter
from conversations.services import saved_filters
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["conversations"])


class FilterIn(Body):
    """`filters` as the conversations list takes them. Shared ones are seen by everybody who may view conversations."""

    name: str = Field(min_length=1, max_length=80, pattern=r"\S")
    filters: dict[str, str]
    is_shared: bool = False


class FilterChange(Body):
    """What is left out stays."""

    name: str = Field("", max_length=80)
    is_shared: bool = False


class FilterOut(Schema):
    """`query` is how the list's address has the same."""

    number: int
    name: str
    filters: dict[str, str]
    query: str
    is_shared: bool
    owner: str


@router.get(
    "/projects/{slug}/conversationFilters",
    summary="Saved filters",
    url_name="conversation-filters",
    response=list[FilterOut],
)
def filters(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """One's own, and those that others share."""
    assistant = load_assistant(request, slug)
    seen = SavedFilter.objects.visible_to(signed_in(request)).filter(assistant=assistant).select_related("owner")
    return [_facts(one) for one in page(request, response, seen, paging)]


@router.post(
    "/projects/{slug}/conversationFilters",
    summary="Save a filter",
    url_name="conversation-filters",
    response={201: FilterOut},
)
def save(request: HttpRequest, slug: Path[str], body: FilterIn) -> Status[dict[str, Any]]:
    assistant = load_assistant(request, slug)
    made = saved_filters.save_filter(
        owner=signed_in(request),
        assistant=assistant,
        name=body.name.strip(),
        query=query_of(body.filters),
        is_shared=body.is_shared,
    )
    return Status(201, _facts(made))


@router.put(
    "/projects/{slug}/conversationFilters/{number}",
    summary="Rename or share a filter",
    url_name="conversation-filter",
    response=FilterOut,
)
def change(request: HttpRequest, slug: Path[str], number: Path[int], body: FilterChange) -> dict[str, Any]:
    """One's own."""
    row, given = load_filter(request, slug, number, others=False), body.dict(exclude_unset=True)
    name = str(given.get("name", "")).strip() or row.name
    saved_filters.change_filter(row, name=name, is_shared=bool(given.get("is_shared", row.is_shared)))
    return _facts(row)


@router.delete(
    "/projects/{slug}/conversationFilters/{number}",
    summary="Delete a filter",
    url_name="conversation-filter",
    response={204: None},
)
def delete(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    """One's own; what others share, for whoever may change the assistant."""
    saved_filters.delete_filter(load_filter(request, slug, number, others=True))
    return Status(204, None)


def _facts(row: SavedFilter) -> dict[str, Any]:
    return {
        "number": row.pk,
        "name": row.name,
        "filters": {name: str(value) for name, value in QueryDict(row.query).items()},
        "query": row.query,
        "is_shared": row.is_shared,
        "owner": row.owner.username,
    }
