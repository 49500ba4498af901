"""A real S3 server (versitygw over a folder) on a free port, ended with whoever started it.

It is built once by `go install` (one to five minutes) and kept in the user's cache folder. `kill` is a crash, after which `start`
finds what was written.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from models_app.storage.s3_client import Patience, Place, client
from studio.embedded import child
from tests.stack.programs import free_port, need

VERSION = "v1.8.0"
MODULE = "github.com/versity/versitygw/cmd/versitygw"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "versitygw"
ACCESS_KEY, SECRET_KEY = "parley", "s3-secret-of-the-tests"
START_SECONDS = 120  # 1 on a quiet machine


class S3Server:
    """Every bucket is a folder below `folder`/data, every object a file in it."""

    def __init__(self, folder: Path, *, megabytes: int | None = None) -> None:
        """`megabytes`: so large is the disk that it writes to, which only it sees."""
        self.folder = folder
        self.megabytes = megabytes
        self.data = folder / "data"
        self.data.mkdir()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
        server = [str(program()), "--port", f"127.0.0.1:{self.port}", "posix", str(self.data)]
        if self.megabytes is not None:
            mount = f'mount -t tmpfs -o size={self.megabytes}m tmpfs "$0" && exec "$@"'
            server = ["unshare", "-rm", "sh", "-c", mount, str(self.data), *server]
        # A test run that is killed takes its server with it.
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", *server]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"versitygw did not start within {START_SECONDS} s; see {self.folder / 'log'}")

    def ensure_running(self) -> None:
        """Whatever the test before did to it."""
        if self.process is None:
            self.start()

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def place(self, port: int | None = None, **changes: Any) -> Place:
        """Where Parley finds it; `port` is that of a proxy before it."""
        endpoint = f"http://127.0.0.1:{port or self.port}"
        whole = Place("missing", endpoint=endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        return replace(whole, **changes)

    @property
    def admin(self) -> Any:
        return client(self.place(), Patience(5, 20, 1))

    def make_bucket(self) -> str:
        name = f"models-{uuid.uuid4().hex[:12]}"
        self.admin.create_bucket(Bucket=name)
        return name


def can_mount() -> bool:
    """Whether this machine lets a process have a disk of its own."""
    line = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(line, check=False, capture_output=True).returncode == 0


@contextmanager
def running(*, megabytes: int | None = None) -> Iterator[S3Server]:
    with tempfile.TemporaryDirectory(prefix="parley-s3-") as folder:
        server = S3Server(Path(folder), megabytes=megabytes)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def program() -> Path:
    """The server; it is built when this machine has none yet."""
    built = CACHE / f"versitygw-{VERSION}"
    if built.is_file():
        return built
    need("go", "golang-go (Go 1.21 or newer)")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        environment = {**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod"}
        subprocess.run(["go", "install", f"{MODULE}@{VERSION}"], check=True, env=environment, cwd=folder)
        shutil.move(f"{folder}/versitygw", built)
    sys.stderr.write(f"\nversitygw {VERSION} is now at {built}.\n")
    return built
