"""What curl and scripts send to the API over real sockets: forms, chunks, and connections that break."""

import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models_app.models import Artifact, Model
from studio.access.services.api_sign_in import token_for
from tests.factories import make_assistant, make_person
from tests.models_app.archives import model_archive
from tests.models_app.conftest import files_in
from tests.models_app.programs import multipart
from tests.models_app.test_upload_live import Server, chunked, large_archive, peak_memory, running, wait_until

__all__ = ["running"]

pytestmark = pytest.mark.django_db(transaction=True)

ARCHIVE = model_archive()
BODY, CONTENT_TYPE = multipart(("model", "otter.tar.gz", ARCHIVE))


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    make_assistant(slug="cafe")
    running.cookie = token_for(make_person("admin"))
    yield running
    for path in files_in(running.store):
        path.unlink()


def curl(server: Server, *arguments: str, query: str = "") -> str:
    """The status that curl saw."""
    address = f"http://127.0.0.1:{server.port}/api/projects/cafe/models{query}"
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", *arguments, address]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def bearer(server: Server) -> tuple[str, str]:
    return "-H", f"Authorization: Bearer {server.cookie}"


def head(server: Server, *lines: str) -> bytes:
    first = ("POST /api/projects/cafe/models HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}")
    return "\r\n".join((*first, f"Authorization: Bearer {server.cookie}", *lines, "\r\n")).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "otter.tar.gz"
    path.write_bytes(ARCHIVE)
    return path


@pytest.mark.parametrize("more", [(), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked"), ("--http1.0",)])
def test_curls_form_is_a_model(server: Server, file: Path, more: tuple[str, ...]) -> None:
    form = ("-F", f"model=@{file}")
    assert curl(server, *bearer(server), *form, *more) == "201"
    assert Model.objects.get().size == len(ARCHIVE)
    assert curl(server, *bearer(server), *form, *more) == "409"


def test_the_token_may_be_in_the_address(server: Server, file: Path) -> None:
    assert curl(server, "-F", f"model=@{file}", query=f"?api_token={server.cookie}") == "201"
    assert curl(server, "-F", f"model=@{file}", query="?api_token=wrong") == "401"


def test_the_file_itself_in_chunks(server: Server, file: Path) -> None:
    chunks = ("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/gzip")
    assert curl(server, *bearer(server), "-T", str(file), *chunks, query="/stoat") == "201"
    assert Model.objects.get().name == "stoat"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_connection_that_breaks_in_the_middle_leaves_nothing(server: Server, coding: str, reset: bool) -> None:
    body, _ = multipart(("model", "otter.tar.gz", large_archive(1024**2)))
    half = body[: len(body) // 2]
    if coding == "length":
        sent = head(server, f"Content-Length: {len(body)}") + half
    else:
        sent = head(server, "Transfer-Encoding: chunked") + chunked(half).removesuffix(b"0\r\n\r\n")
    made = server.connect(sent)
    wait_until(lambda: files_in(server.store))
    if reset:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.close()
    wait_until(lambda: not files_in(server.store))
    assert not Model.objects.exists()
    assert not Artifact.objects.exists()


def test_chunks_that_end_before_the_form_does_are_a_cut(server: Server) -> None:
    status, answer = server.exchange(head(server, "Transfer-Encoding: chunked") + chunked(BODY[:-8]))
    assert (status, answer["reason"]) == (422, "UploadCut")
    assert files_in(server.store) == []


def test_memory_stays_flat_while_a_large_form_comes_in(server: Server, tmp_path: Path, file: Path) -> None:
    curl(server, *bearer(server), "-F", f"model=@{file}")
    before = peak_memory(server.worker)
    large = tmp_path / "large.tar.gz"
    large.write_bytes(large_archive(120 * 1024**2))
    assert curl(server, *bearer(server), "-F", f"model=@{large}") == "201"
    assert peak_memory(server.worker) - before < 30 * 1024  # KB
