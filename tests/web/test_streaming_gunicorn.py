"""What clients see of a transfer through the real web server, byte by byte on the socket."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 6_000_000


class Server:
    def __init__(self, folder: Path, **variables: str) -> None:
        self.file, self.notes = folder / "file", folder / "notes"
        self.connections: list[http.client.HTTPConnection] = []
        self.reset()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        facts = {"FILE": str(self.file), "CLAIMED": str(SIZE), "NOTES": str(self.notes), "PORT": str(self.port)}
        facts["DATABASE_URL"] = "postgresql://none@127.0.0.1:9/none"  # it is not asked
        command = [sys.executable, "-m", "gunicorn", "-c", "studio/gunicorn_conf.py", "tests.web.streaming_app"]
        environment = {**os.environ, **facts, "PARLEY_WEB_WORKERS": "1", **variables}
        self.process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2])
        self._wait()

    def reset(self) -> None:
        self.file.write_bytes(os.urandom(SIZE))
        self.notes.write_text("")

    def _wait(self) -> None:
        until = time.monotonic() + 180
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("gunicorn does not answer")

    def get(self, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connections.append(connection)
        connection.request("GET", "/", headers=headers)
        return connection.getresponse()

    def completed(self) -> list[str]:
        return self.notes.read_text().split()

    def hang_up(self) -> None:
        while self.connections:
            self.connections.pop().close()

    def close(self) -> None:
        self.hang_up()
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module", params=["", "1"], ids=["by sendfile", "by reading"])
def running_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("gunicorn"), HIDE=request.param)
    yield server
    server.close()


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    running_server.reset()
    yield running_server
    running_server.hang_up()


def wait_for(condition) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_the_whole_file_arrives_and_is_noted(server: Server):
    assert server.get().read() == server.file.read_bytes()
    assert wait_for(lambda: server.completed() == [str(SIZE)])


def test_a_part_resumes_and_is_not_noted(server: Server):
    response = server.get(Range=f"bytes={SIZE - 1000}-")

    assert (response.status, response.read()) == (206, server.file.read_bytes()[-1000:])
    assert server.completed() == []


def test_a_file_shorter_than_said_ends_the_connection_before_the_length_is_reached(server: Server):
    os.truncate(server.file, SIZE // 2)
    response = server.get()

    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    assert len(cut.value.partial) == SIZE // 2
    assert server.completed() == []


def test_after_a_cut_body_nothing_more_comes_on_that_connection(server: Server):
    os.truncate(server.file, SIZE // 2)
    with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        received = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while block := raw.recv(1 << 20):
                received += block

    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert f"Content-Length: {SIZE}".encode() in head
    assert len(body) <= SIZE // 2


def test_a_client_that_leaves_early_is_not_noted(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.recv(1000)

    assert server.get(Range="bytes=0-9").status == 206  # it goes on serving
    assert server.completed() == []


def test_slow_clients_leave_threads_for_others(tmp_path: Path):
    server = Server(tmp_path, PARLEY_WEB_THREADS="4")  # two of which may send files
    try:
        slow = [server.get() for _ in range(2)]
        refused = server.get()

        assert [response.status for response in slow] == [200, 200]
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        server.hang_up()
        assert wait_for(lambda: server.get(Range="bytes=0-0").status == 206)
    finally:
        server.close()
