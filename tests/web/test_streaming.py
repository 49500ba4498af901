import io

import pytest
from django.test import RequestFactory

from studio.web import streaming
from studio.web.streaming import Source, matches, stream

CONTENT = bytes(range(100))


def answer(method: str = "get", **headers: str):
    def open_at(start: int) -> io.BytesIO:
        file = io.BytesIO(CONTENT)
        file.seek(start)
        return file

    request = getattr(RequestFactory(), method)("/", headers=headers)
    response = stream(request, Source(open_at, len(CONTENT), '"abc"'), headers={"filename": "m.tar.gz"})
    body = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return response, body


def test_everything_comes_without_a_range():
    response, body = answer()

    assert (response.status_code, body) == (200, CONTENT)
    assert response["ETag"] == '"abc"'
    assert response["Content-Length"] == "100"
    assert response["filename"] == "m.tar.gz"


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-9", 0, 10), ("90-", 90, 100), ("-5", 95, 100), ("0-500", 0, 100), ("-500", 0, 100)]
)
def test_a_range_brings_its_part(asked, start, end):
    response, body = answer(Range=f"bytes={asked}")

    assert (response.status_code, body) == (206, CONTENT[start:end])
    assert response["Content-Range"] == f"bytes {start}-{end - 1}/100"


@pytest.mark.parametrize("asked", ["bytes=9-2", "bytes=0-1,5-6", "bytes=-", "lines=1-2", "bytes=a-b"])
def test_what_is_no_single_range_gets_everything(asked):
    response, body = answer(Range=asked)

    assert (response.status_code, body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["100-", "500-600", "-0"])
def test_a_range_outside_cannot_be_satisfied(asked):
    response, _body = answer(Range=f"bytes={asked}")

    assert (response.status_code, response["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize(
    ("condition", "status"), [('"abc"', 206), ('"old"', 200), ('W/"abc"', 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)]
)
def test_a_changed_file_is_not_resumed(condition, status):
    response, _body = answer(Range="bytes=50-", If_Range=condition)

    assert response.status_code == status


def test_head_has_no_body_and_takes_no_transfer():
    response, body = answer("head")

    assert (response.status_code, response["Content-Length"], body) == (200, "100", b"")


def test_the_callbacks_hear_of_whole_bodies_and_of_cut_ones():
    heard: list[object] = []
    request = RequestFactory().get("/")
    source = Source(lambda start: io.BytesIO(CONTENT), len(CONTENT), '"abc"')

    whole = stream(request, source, headers={}, on_complete=heard.append)
    list(whole.streaming_content)
    whole.close()
    assert [sent.size for sent in heard] == [len(CONTENT)]

    cut = stream(request, source, headers={}, on_complete=heard.append, on_cut=lambda: heard.append("cut"))
    with pytest.raises(ConnectionResetError):
        cut.close()

    assert heard[1:] == ["cut"]


def test_a_transfer_gives_its_place_back(monkeypatch):
    import threading

    monkeypatch.setattr(streaming, "_transfers", threading.BoundedSemaphore(1))

    assert [answer()[0].status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", W/"abc"', "*", "abc"])
def test_an_etag_matches_weakly(header):
    assert matches(header, '"abc"')


@pytest.mark.parametrize("header", ["", '"abcd"', '"x", "y"'])
def test_another_etag_does_not_match(header):
    assert not matches(header, '"abc"')
