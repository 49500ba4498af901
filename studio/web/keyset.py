"""Paging by key, newest first: `?after=<key>` is older than that row, `?before=<key>` newer.

Pages stay in place while rows are added on top, and the last one costs as much as the first.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)
SIZE = 25


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page; `newer` and `older` are the cursors for components/pager.html, None at an end."""

    rows: list[Row]
    newer: int | None
    older: int | None


def page_of(rows: QuerySet[Row], request: HttpRequest, size: int = SIZE) -> Page[Row]:
    """The page of `rows` that the request's cursor asks for, by primary key; what is no cursor is the first page."""
    before = _cursor(request, "before")
    if before is not None:
        found = list(rows.filter(pk__gt=before).order_by("pk")[: size + 1])
        if len(found) > size:
            page = found[:size][::-1]
            return Page(page, newer=page[0].pk, older=page[-1].pk)
        return _from(rows, None, size)  # fewer than a page above: the first page, filled up
    return _from(rows, _cursor(request, "after"), size)


def _from(rows: QuerySet[Row], after: int | None, size: int) -> Page[Row]:
    below = rows if after is None else rows.filter(pk__lt=after)
    found = list(below.order_by("-pk")[: size + 1])
    page = found[:size]
    return Page(
        page,
        newer=page[0].pk if page and after is not None else None,
        older=page[-1].pk if len(found) > size else None,
    )


def _cursor(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    # 18 digits always fit PostgreSQL's bigint.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
