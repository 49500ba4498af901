"""What a benchmark stands on: PostgreSQL and Redis of its own; for the web's, gunicorn and one model in production."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rows import NotRun

CHECKOUT = Path(__file__).resolve().parent.parent
SERVERS = ("DATABASE_URL", "REDIS_URL")
OURS = (*SERVERS, "PARLEY_", "RASA_X_TOKEN", "PORT", "DJANGO_")
KEPT = ("PARLEY_RASA",)  # the runtime is only read
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Web:
    """The web processes, and the address and token with which a Rasa server polls them."""

    port: int
    process: subprocess.Popen[bytes]
    token: str
    etag: str
    artifact: Path

    @property
    def path(self) -> str:
        return f"/api/projects/default/models/tags/production?token={self.token}"

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cpu_seconds(self) -> float:
        return sum(_cpu_seconds(pid) for pid in self.workers())

    def peak_megabytes(self) -> float:
        return max(map(peak_megabytes, self.workers()))


def peak_megabytes(pid: int) -> float:
    return _status(pid, "VmHWM") / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)


def forget_this_installation() -> None:
    """A benchmark writes into databases: never into those that the environment or this checkout's `.env` name.

    The launcher takes from that file what the environment does not set, so a database named there is refused.
    """
    for name in [name for name in os.environ if name.startswith(OURS) and name not in KEPT]:
        del os.environ[name]
    file = CHECKOUT / ".env"
    named = [line for line in file.read_text().splitlines() if line.startswith(SERVERS)] if file.is_file() else []
    if named:
        raise NotRun(f"{file} names your own database or Redis ({named[0].partition('=')[0]}). Move the file away.")


@contextlib.contextmanager
def services() -> Iterator[None]:
    """An empty PostgreSQL and Redis under a temporary folder, and Django on them."""
    import django

    from tests.services import Services

    servers = Services()
    try:
        servers.start()
        os.environ |= {"PARLEY_LOG_LEVEL": "WARNING", "DJANGO_SETTINGS_MODULE": "studio.settings"}
        django.setup()
        yield
    finally:
        servers.stop()


@contextlib.contextmanager
def web(model_bytes: int, *, workers: int = 1) -> Iterator[Web]:
    """The web alone, with a production that has a model of about that size."""
    port = free_port()
    os.environ |= {"PORT": str(port), "PARLEY_WEB_WORKERS": str(workers)}
    with services():
        with tempfile.TemporaryDirectory() as folder:
            token, etag, artifact = _install(Path(folder), model_bytes)
        process = _gunicorn(port)
        try:
            yield Web(port, process, token, etag, artifact)
        finally:
            process.terminate()
            process.wait(20)


def _install(folder: Path, model_bytes: int) -> tuple[str, str, Path]:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)

    from environments.models import Environment
    from environments.services.birth import create_assistant
    from environments.services.promotion import promote
    from models_app.services.models import add_model
    from studio.crypto import decrypt

    assistant = create_assistant(actor=None, slug="default", title="Bench")
    archive = write_archive(folder / "bench.tar.gz", model_bytes)
    with archive.open("rb") as source:
        added = add_model(actor=None, assistant=assistant, source=source, file_name=archive.name, origin="uploaded")
    environment = Environment.objects.get(assistant=assistant, name="production")
    promote(actor=None, environment=environment, model=added.model)
    connection.close()
    sha256 = added.model.artifact_id
    token = decrypt(environment.model_token_encrypted)
    return token, added.model.etag, settings.ARTIFACTS_DIR / sha256[:2] / sha256


def write_archive(path: Path, size: int) -> Path:
    """A model of about `size` bytes that nothing compresses further."""
    metadata = json.dumps({"domain": {}, "trained_at": "2025-03-01T10:20:30", "rasa_open_source_version": "3.6.21"})
    with tarfile.open(path, "w:gz", compresslevel=0) as tar:
        info = tarfile.TarInfo("metadata.json")
        info.size = len(metadata)
        tar.addfile(info, io.BytesIO(metadata.encode()))
        info = tarfile.TarInfo("components/weights.bin")
        info.size = size
        with Path("/dev/urandom").open("rb") as noise:
            tar.addfile(info, noise)
    return path


def _gunicorn(port: int) -> subprocess.Popen[bytes]:
    options = ["-c", str(CHECKOUT / "studio/gunicorn_conf.py"), "--log-level", "warning"]
    command = [sys.executable, "-m", "gunicorn", *options, "studio.wsgi"]
    process = subprocess.Popen(command, cwd=CHECKOUT)
    wait_for_port(port)
    return process


def wait_for_port(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Connection:
    """A kept connection that sends one prepared request again and again, with as little work as can be."""

    def __init__(self, port: int, path: str, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *fields]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()

    def ask(self) -> bytes:
        """The head of a small answer, read whole."""
        self.socket.sendall(self.request)
        answer = self.socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = _content_length(head)
        while len(body) < length:
            body += self.socket.recv(65536)
        return head

    def download(self, buffer: bytearray) -> int:
        """Take a whole body into the same buffer again and again; its length."""
        self.socket.sendall(self.request)
        head, _, rest = self.socket.recv(65536).partition(b"\r\n\r\n")
        received, length = len(rest), _content_length(head)
        while received < length:
            count = self.socket.recv_into(buffer)
            if not count:
                raise RuntimeError("the body ended early")
            received += count
        return received

    def close(self) -> None:
        self.socket.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
