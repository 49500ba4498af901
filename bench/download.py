"""`python -m bench download`: a model's archive from the model server, against nginx with the same file."""

import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.alone import alone
from bench.ground import Connection, Web, free_port, wait_for_port, web
from bench.rows import NotRun, Row

SIZES = {"25 MB": (25_000_000, 15), "1 GB": (1_000_000_000, 3)}  # and how often each is taken

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/gzip;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


FLAT = 32  # MB that the web process may grow by while it sends a whole file


def run() -> list[Row]:
    nginx_program()
    found = (alone(measure, name, size, times) for name, (size, times) in SIZES.items())
    return [row for rows in found for row in rows]


def measure(name: str, size: int, times: int) -> list[Row]:
    with web(size) as server, nginx(server.artifact) as port:
        ours = Connection(server.port, server.path)
        theirs = Connection(port, f"/{server.artifact.name}")
        return compare(name, times, server, ours, theirs)


def compare(name: str, times: int, server: Web, ours: Connection, theirs: Connection) -> list[Row]:
    buffer = bytearray(1024 * 1024)
    before = server.peak_megabytes()
    ours.download(buffer), theirs.download(buffer)  # the file is in memory for both from here on
    speeds = [(speed(theirs, buffer), speed(ours, buffer)) for _ in range(times)]
    nginx_speed, our_speed = (statistics.median(pair[which] for pair in speeds) for which in (0, 1))
    after, ratio = server.peak_megabytes(), our_speed / nginx_speed
    parley, compared = f"{our_speed / 1e6:.0f} MB/s", f"nginx {nginx_speed / 1e6:.0f} MB/s"
    memory = f"{after - before:+.0f} MB"
    return [
        Row(f"download of {name}", parley, compared, f"{ratio:.0%} of its speed", "80 %", ratio >= 0.8),
        Row(
            f"its peak memory, {name}",
            f"{after:.0f} MB",
            f"before {before:.0f} MB",
            memory,
            "flat",
            after - before < FLAT,
        ),
    ]


def speed(connection: Connection, buffer: bytearray) -> float:
    began = time.perf_counter()
    return connection.download(buffer) / (time.perf_counter() - began)


@contextlib.contextmanager
def nginx(artifact: Path) -> Iterator[int]:
    program = nginx_program()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        port, root = free_port(), Path(folder) / "files"
        root.mkdir()
        shutil.copy(artifact, root)  # its own copy: nginx serves as another user
        (root / artifact.name).chmod(0o644)
        (Path(folder) / "nginx.conf").write_text(NGINX.format(folder=folder, root=root, port=port))
        process = subprocess.Popen([program, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])
        try:
            wait_for_port(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def nginx_program() -> str:
    program = shutil.which("nginx")
    if program is None:
        raise NotRun("it compares with nginx, and there is none on PATH.")
    return program
