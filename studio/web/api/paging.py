"""Pages of the API's lists: `limit` and `offset` as in Rasa Enterprise, and cursors, which stay in place as rows come.

The answer is a plain list. `X-Total-Count` says how many there are in all, `X-Limit` how many one answer holds at most,
and while there are more `Link: <…>; rel="next"` and `X-Next-Cursor` say how to go on.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema

from studio.errors import Invalid

MOST = 1000
_FAR = 10**9

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")


class NotOurs(Invalid):
    """A cursor that no answer gave."""

    code = "cursor"

    def __init__(self) -> None:
        super().__init__("This cursor is none. Take the X-Next-Cursor of an earlier answer, or leave it out.")


class Paging(Schema):
    """Which part of a list is wanted."""

    limit: int = Field(MOST, ge=0, description=f"How many at most; more than {MOST} are never given at once.")
    offset: int = Field(0, ge=0, le=_FAR, description="How many to leave out; slow far into a long list.")
    cursor: str = Field("", max_length=400, description="X-Next-Cursor of the page before; offset does not count then.")


def page(
    request: HttpRequest,
    response: HttpResponse,
    rows: QuerySet[Row],
    wanted: Paging,
    *,
    by: str = "-pk",
    total: int | None = None,
) -> list[Row]:
    """The wanted rows of `rows` in the order of the unique column `by`; headers of `response` tell of the others.

    `total` is counted unless the caller knows better. Raises NotOurs for a cursor that is none of ours.
    """
    limit = min(wanted.limit, MOST)
    column = by.removeprefix("-")
    response["X-Total-Count"] = str(rows.count() if total is None else total)
    response["X-Limit"] = str(limit)
    ordered = rows.order_by(by)
    if wanted.cursor:
        further = "lt" if by.startswith("-") else "gt"
        found = list(ordered.filter(**{f"{column}__{further}": _key(wanted.cursor, column)})[: limit + 1])
    else:
        found = list(ordered[wanted.offset : wanted.offset + limit + 1])
    if len(found) > limit > 0:
        say_next(request, response, cursor_of(str(getattr(found[limit - 1], column))))
    return found[:limit]


def cut(request: HttpRequest, response: HttpResponse, items: Sequence[Item], wanted: Paging) -> Sequence[Item]:
    """The same for a list that is short by its nature and all there: environments, roles. A cursor is a place in it."""
    limit = min(wanted.limit, MOST)
    response["X-Total-Count"], response["X-Limit"] = str(len(items)), str(limit)
    start = int(_key(wanted.cursor, "pk")) if wanted.cursor else wanted.offset
    end = start + limit
    if limit and end < len(items):
        say_next(request, response, cursor_of(str(end)))
    return items[start:end]


def say_next(request: HttpRequest, response: HttpResponse, cursor: str) -> None:
    """Tell how to ask for what follows."""
    query = request.GET.copy()
    query.pop("offset", None)
    query.pop("api_token", None)  # a secret; whoever follows the link shows it again
    query["cursor"] = cursor
    response["X-Next-Cursor"] = cursor
    response["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'


def cursor_of(key: str) -> str:
    """The key of a page's last row, as one word for an address."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """What `cursor_of` was given. Raises NotOurs."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise NotOurs from None


def _key(cursor: str, column: str) -> str | int:
    key = key_of(cursor).replace("\0", "")
    if column != "pk":
        return key
    if not (key.isascii() and key.isdigit() and len(key) <= 18):  # 18 digits always fit PostgreSQL's bigint
        raise NotOurs
    return int(key)
