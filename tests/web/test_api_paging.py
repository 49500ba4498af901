"""Pages of a list that is all there."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from studio.web.api.paging import MOST, NotOurs, Paging, cut

EVERYTHING = list(range(2 * MOST + 1))


def page(**wanted: object) -> tuple[list[int], HttpResponse]:
    response = HttpResponse()
    return list(cut(RequestFactory().get("/api/roles"), response, EVERYTHING, Paging(**wanted))), response


def test_cursors_lead_through_all_of_it() -> None:
    found, response = page()
    while "X-Next-Cursor" in response:
        assert f"cursor={response['X-Next-Cursor']}" in response["Link"]
        more, response = page(cursor=response["X-Next-Cursor"])
        found += more
    assert (found, response["X-Total-Count"]) == (EVERYTHING, str(len(EVERYTHING)))


def test_offset_and_limit_choose_a_part() -> None:
    assert page(offset=MOST, limit=2)[0] == [MOST, MOST + 1]
    nothing, response = page(limit=0)
    assert (nothing, "Link" in response) == ([], False)
    assert "Link" not in page(offset=2 * MOST)[1]


def test_a_cursor_of_something_else_is_none() -> None:
    with pytest.raises(NotOurs):
        page(cursor="bmFtZQ")
