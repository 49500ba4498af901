"""Paging by key: `?after=<key>` is what follows that row, `?before=<key>` what precedes it.

Pages stay in place while rows are added, and the last one costs as much as the first.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)
Key = int | str
SIZE = 25
NEWEST_FIRST = "-pk"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page; `newer` and `older` are the cursors for components/pager.html, None at an end."""

    rows: list[Row]
    newer: Key | None
    older: Key | None


def page_of(rows: QuerySet[Row], request: HttpRequest, size: int = SIZE, by: str = NEWEST_FIRST) -> Page[Row]:
    """The page of `rows` that the request's cursor asks for; what is no cursor is the first page.

    `by` is `pk` or a unique column of text, with a minus in front for the largest first.
    """
    column = by.removeprefix("-")
    further, nearer = ("lt", "gt") if by.startswith("-") else ("gt", "lt")
    before, after = (_cursor(request, name, column) for name in ("before", "after"))
    if before is not None:
        found = list(rows.filter(**{f"{column}__{nearer}": before}).order_by(_reversed(by))[: size + 1])
        if len(found) > size:
            page = found[:size][::-1]
            return Page(page, newer=_key(page[0], column), older=_key(page[-1], column))
        after = None  # fewer than a page in front: the first page, filled up
    following = rows if after is None else rows.filter(**{f"{column}__{further}": after})
    found = list(following.order_by(by)[: size + 1])
    page = found[:size]
    return Page(
        page,
        newer=_key(page[0], column) if page and after is not None else None,
        older=_key(page[-1], column) if len(found) > size else None,
    )


def _reversed(by: str) -> str:
    return by[1:] if by.startswith("-") else f"-{by}"


def _key(row: Model, column: str) -> Any:
    return getattr(row, column)


def _cursor(request: HttpRequest, name: str, column: str) -> Key | None:
    text = request.GET.get(name, "").replace("\0", "")
    if column != "pk":
        return text or None
    # 18 digits always fit PostgreSQL's bigint.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
