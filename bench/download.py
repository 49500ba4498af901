"""`python -m bench.download`: a model's archive from the model server, against nginx with the same file."""

import contextlib
import multiprocessing
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ground import Connection, Web, free_port, wait_for_port, web

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


def main() -> None:
    spawn = multiprocessing.get_context("spawn")  # settings are read once by each process
    for name, (size, times) in SIZES.items():
        process = spawn.Process(target=measure, args=(name, size, times))
        process.start()
        process.join()


def measure(name: str, size: int, times: int) -> None:
    with web(size) as server, nginx(server.artifact) as port:
        ours = Connection(server.port, server.path)
        theirs = Connection(port, f"/{server.artifact.name}")
        compare(name, times, server, ours, theirs)


def compare(name: str, times: int, server: Web, ours: Connection, theirs: Connection) -> None:
    buffer = bytearray(1024 * 1024)
    ours.download(buffer), theirs.download(buffer)  # the file is in memory for both from here on
    before = server.peak_megabytes()
    speeds = [(speed(theirs, buffer), speed(ours, buffer)) for _ in range(times)]
    nginx_speed = statistics.median(pair[0] for pair in speeds)
    our_speed = statistics.median(pair[1] for pair in speeds)
    print(
        f"download of {name:<6} {our_speed / 1e6:7.0f} MB/s   nginx {nginx_speed / 1e6:7.0f} MB/s   "
        f"{our_speed / nginx_speed:5.0%} of its speed (aim: 80 %)   peak of the web process {before:.0f} MB before, "
        f"{server.peak_megabytes():.0f} MB after"
    )


def speed(connection: Connection, buffer: bytearray) -> float:
    began = time.perf_counter()
    return connection.download(buffer) / (time.perf_counter() - began)


@contextlib.contextmanager
def nginx(artifact: Path) -> Iterator[int]:
    program = shutil.which("nginx")
    if program is None:
        raise SystemExit("This benchmark compares with nginx, and there is none on PATH.")
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


if __name__ == "__main__":
    main()
