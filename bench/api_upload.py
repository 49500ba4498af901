"""`python -m bench api_upload`: a model of 1 GB as curl's form to the API, against curl to nginx with the same file: as
nginx answers, and until its file is on the disk, as Parley's is."""

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.download import FLAT, nginx_program
from bench.ground import free_port, wait_for_port, web, write_archive
from bench.rows import NotRun, Row

SIZE, TIMES = 1_000_000_000, 3
AIM = 0.6

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}/kept; location / {{ dav_methods PUT; }} }}
}}
"""


def run() -> list[Row]:
    nginx_program()
    with tempfile.TemporaryDirectory() as folder, web(1_000_000) as server:
        token, file = admin_token(), write_archive(Path(folder) / "large.tar.gz", SIZE)
        address = f"http://127.0.0.1:{server.port}/api/projects/default/models"
        with nginx() as copy:
            before = server.peak_megabytes()
            rounds = [
                (*copy(file), _upload(f"{address}?name=large-{number}.tar.gz", token, file)) for number in range(TIMES)
            ]
            after = server.peak_megabytes()
    grown = after - before
    return [
        *speeds("upload of 1 GB by the API", *(statistics.median(column) for column in zip(*rounds, strict=True))),
        Row("its peak memory", f"{after:.0f} MB", f"before {before:.0f} MB", f"{grown:+.0f} MB", "flat", grown < FLAT),
    ]


def speeds(what: str, answered: float, on_disk: float, ours: float) -> list[Row]:
    """Of SIZE bytes in so many seconds: ours against nginx's answer, and against its file on the disk."""
    speed, ratio = f"{SIZE / ours / 1e6:.0f} MB/s", answered / ours
    kept = (f"nginx {SIZE / on_disk / 1e6:.0f} MB/s", f"{on_disk / ours:.0%} of its speed")
    return [
        Row(
            what,
            speed,
            f"nginx {SIZE / answered / 1e6:.0f} MB/s",
            f"{ratio:.0%} of its speed",
            f"{AIM:.0%}",
            ratio >= AIM,
        ),
        Row("and against a copy that is on the disk", speed, *kept),
    ]


def _upload(address: str, token: str, file: Path) -> float:
    return curl_seconds("-H", f"Authorization: Bearer {token}", "-F", f"model=@{file}", address)


def curl_seconds(*arguments: str) -> float:
    """How long curl takes for it. Raises NotRun when the file was not taken."""
    began = time.perf_counter()
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds = time.perf_counter() - began
    if told != "201":
        raise NotRun(f"curl was answered {told}.")
    return seconds


def admin_token() -> str:
    from studio.access.models import Role
    from studio.access.services.api_sign_in import token_for
    from studio.access.services.grants import grant
    from studio.access.services.people import create_person
    from studio.access.services.roles import ensure_default_roles

    ensure_default_roles()
    person = create_person(actor=None, username="bench", password=None)
    grant(actor=None, person=person, role=Role.objects.get(name="admin"))
    return token_for(person)


@contextlib.contextmanager
def nginx() -> Iterator[Callable[[Path], tuple[float, float]]]:
    """A function that copies a file through nginx; the seconds until it answered, and until the copy is on the disk."""

    def copy(file: Path) -> tuple[float, float]:
        answered = curl_seconds("-T", str(file), f"http://127.0.0.1:{port}/copy")
        kept, began = Path(folder) / "kept" / "copy", time.perf_counter()
        with kept.open("rb") as written:
            os.fsync(written.fileno())
        seconds = answered + time.perf_counter() - began
        kept.unlink()
        return answered, seconds

    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        (Path(folder) / "kept").mkdir()
        text = NGINX.format(folder=folder, port=port)
        if os.geteuid() != 0:
            text = text.replace("user root;", "")
        (Path(folder) / "nginx.conf").write_text(text)
        process = subprocess.Popen([nginx_program(), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])
        try:
            wait_for_port(port)
            yield copy
        finally:
            process.terminate()
            process.wait(10)
