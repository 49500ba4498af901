"""Uploads to a real gunicorn over real sockets: connections that break, and a server that is killed."""

import contextlib
import gzip
import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from models_app.models import Artifact, Model
from models_app.storage.local import LocalStore
from models_app.storage.staging import SWEEP_AFTER_SECONDS
from tests.clients import client_of
from tests.factories import make_assistant, make_person
from tests.models_app.archives import METADATA, model_archive
from tests.models_app.conftest import files_in

pytestmark = pytest.mark.django_db(transaction=True)

ARCHIVE = model_archive()
CSRF = "x" * 32


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    store: Path
    cookie: str = ""

    def head(self, *lines: str, name: str = "otter.tar.gz") -> bytes:
        return "\r\n".join(
            (
                f"PUT /a/cafe/models/upload/{name} HTTP/1.1",
                "Host: localhost",
                f"Cookie: {self.cookie}",
                f"X-CSRFToken: {CSRF}",
                *lines,
                "\r\n",
            )
        ).encode()

    def connect(self, sent: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        made.sendall(sent)
        return made

    def exchange(self, sent: bytes) -> tuple[int, dict[str, object]]:
        with self.connect(sent) as made:
            response = http.client.HTTPResponse(made)
            response.begin()
            return response.status, json.loads(response.read())

    @property
    def worker(self) -> int:
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.fixture(scope="module")
def running(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for all these tests; each signs somebody in anew."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = tmp_path_factory.mktemp("live")
    more = {"PARLEY_ARTIFACTS": str(store), "PARLEY_MAX_MODEL_BYTES": "200MB", "DATABASE_URL": database_url()}
    command = [sys.executable, "-m", "gunicorn", "studio.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    environment = {**os.environ, **more, "DJANGO_SETTINGS_MODULE": "studio.settings"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port))
        yield Server(process, port, store)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    make_assistant(slug="cafe")
    client = client_of(make_person("admin"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    running.cookie = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    yield running
    for path in files_in(running.store):
        path.unlink()


def test_one_connection_brings_one_after_the_other(server: Server):
    """The second request comes with the last bytes of the first body, and is not taken for a part of it."""
    bodies = [model_archive(), model_archive(language="de")]
    sent = b"".join(
        server.head(f"Content-Length: {len(body)}", name=f"model-{number}.tar.gz") + body
        for number, body in enumerate(bodies)
    )
    with server.connect(sent) as made:
        reading = made.makefile("rb")
        for number in range(2):
            assert reading.readline().split()[1] == b"201"
            length = 0
            while (line := reading.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(reading.read(length))["name"] == f"model-{number}"


def test_a_whole_upload_is_taken(server: Server):
    status, answer = server.exchange(server.head(f"Content-Length: {len(ARCHIVE)}") + ARCHIVE)
    assert (status, answer["name"]) == (201, "otter")


def test_a_chunked_upload_is_taken(server: Server):
    half = len(ARCHIVE) // 2
    status, _ = server.exchange(server.head("Transfer-Encoding: chunked") + chunked(ARCHIVE[:half], ARCHIVE[half:]))
    assert status == 201
    assert Model.objects.get().size == len(ARCHIVE)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_connection_that_breaks_in_the_middle_leaves_nothing(server: Server, coding: str, reset: bool):
    half = ARCHIVE[: len(ARCHIVE) // 2]
    if coding == "length":
        sent = server.head(f"Content-Length: {len(ARCHIVE)}") + half
    else:
        sent = server.head("Transfer-Encoding: chunked") + chunked(half).removesuffix(b"0\r\n\r\n")
    made = server.connect(sent)
    wait_until(lambda: files_in(server.store))
    if reset:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.close()
    wait_until(lambda: not files_in(server.store))
    assert not Model.objects.exists()
    assert not Artifact.objects.exists()
    assert server.exchange(server.head(f"Content-Length: {len(ARCHIVE)}") + ARCHIVE)[0] == 201


def test_garbled_chunks_are_an_upload_that_was_cut(server: Server):
    status, answer = server.exchange(server.head("Transfer-Encoding: chunked") + b"not a length\r\n")
    assert (status, answer["code"]) == (422, "upload-cut")
    assert files_in(server.store) == []


def test_a_file_over_the_limit_is_refused_before_it_is_sent(server: Server):
    status, answer = server.exchange(server.head(f"Content-Length: {300 * 1024**2}"))
    assert (status, answer["code"]) == (413, "too-large")


def test_a_server_killed_in_the_middle_leaves_no_row_and_its_file_is_swept(server: Server):
    made = server.connect(server.head(f"Content-Length: {len(ARCHIVE)}") + ARCHIVE[:400])
    wait_until(lambda: files_in(server.store))
    os.kill(server.worker, signal.SIGKILL)
    assert made.recv(100) == b""
    made.close()
    (stray,) = files_in(server.store)
    then = time.time() - SWEEP_AFTER_SECONDS - 1
    os.utime(stray, (then, then))
    assert LocalStore(server.store).sweep() == 1
    assert files_in(server.store) == []
    assert not Model.objects.exists()


def test_memory_stays_flat_while_a_large_model_comes_in(server: Server):
    server.exchange(server.head(f"Content-Length: {len(ARCHIVE)}") + ARCHIVE)
    before = peak_memory(server.worker)
    large = large_archive(120 * 1024**2)
    status, _ = server.exchange(server.head(f"Content-Length: {len(large)}", name="large.tar.gz") + large)
    assert status == 201
    assert peak_memory(server.worker) - before < 30 * 1024  # KB


def chunked(*pieces: bytes) -> bytes:
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


def large_archive(size: int) -> bytes:
    """A model whose bytes do not compress."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, content in (("metadata.json", json.dumps(METADATA).encode()), ("weights.bin", os.urandom(size))):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def peak_memory(pid: int) -> int:
    """In KB, of a process since its start."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def database_url() -> str:
    own = connection.settings_dict
    user = f"{quote(own['USER'])}:{quote(own['PASSWORD'])}@" if own["USER"] else ""
    return f"postgresql://{user}/{own['NAME']}?host={quote(own['HOST'], safe='')}&port={own['PORT'] or 5432}"


def answers(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response,
    ):
        return response.status == 200
    return False


def wait_until(true: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
