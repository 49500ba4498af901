"""`python -m bench poll`: a poll that brings nothing new, against a constant view of the same server.

Also: how long a poll takes while 50 clients download slowly.
"""

import multiprocessing
import socket
import statistics
import time
from multiprocessing.synchronize import Event

from bench.ground import Connection, Web, web
from bench.rows import Row

ROUNDS = 7
REQUESTS = 1500
SLOW_CLIENTS = 50
MODEL_BYTES = 25_000_000


def run() -> list[Row]:
    with web(MODEL_BYTES) as server:
        poll = Connection(server.port, server.path, If_None_Match=server.etag, X_Parley_Replica="rasa-1")
        constant = Connection(server.port, "/healthz")
        assert b" 304 " in poll.ask().split(b"\r\n")[0]
        return [*ratios(server, poll, constant), under_load(server, poll)]


def ratios(server: Web, poll: Connection, constant: Connection) -> list[Row]:
    """Rounds alternate, so that whatever else the machine does meets both."""
    for connection in (poll, constant):
        burst(server, connection)
    found = [(burst(server, constant), burst(server, poll)) for _ in range(ROUNDS)]
    constants, polls = zip(*found, strict=True)
    rows = []
    for index, what in ((0, "wall time"), (1, "CPU of the web")):
        ours = statistics.median(value[index] for value in polls)
        theirs = statistics.median(value[index] for value in constants)
        rate = theirs / ours
        parley, compared = f"{ours * 1e6:.0f} us", f"constant view {theirs * 1e6:.0f} us"
        rows.append(Row(f"304 poll, {what}", parley, compared, f"{rate:.0%} of its rate", "95 %", rate >= 0.95))
    return rows


def burst(server: Web, connection: Connection) -> tuple[float, float]:
    """Seconds and seconds of the web's CPU for one request."""
    began, cpu = time.perf_counter(), server.cpu_seconds()
    for _ in range(REQUESTS):
        connection.ask()
    return (time.perf_counter() - began) / REQUESTS, (server.cpu_seconds() - cpu) / REQUESTS


def under_load(server: Web, poll: Connection) -> Row:
    before = p95(poll)
    ready = multiprocessing.Event()
    slow = multiprocessing.Process(target=download_slowly, args=(server.port, server.path, ready), daemon=True)
    slow.start()
    ready.wait(60)
    during = p95(poll)
    slow.terminate()
    slow.join()
    times, what = during / before, f"304 poll, p95 beside {SLOW_CLIENTS} slow downloads"
    return Row(what, f"{during * 1e3:.2f} ms", f"alone {before * 1e3:.2f} ms", f"{times:.2f} x", "2 x", times <= 2)


def p95(poll: Connection) -> float:
    """Polls come one at a time with a pause, as they do in life."""
    times = []
    for _ in range(400):
        began = time.perf_counter()
        poll.ask()
        times.append(time.perf_counter() - began)
        time.sleep(0.005)
    return statistics.quantiles(times, n=20)[-1]


def download_slowly(port: int, path: str, ready: Event) -> None:
    """Each client takes 40 kB five times a second, from a small buffer of its own."""
    clients = []
    for _ in range(SLOW_CLIENTS):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        clients.append(client)
    for client in clients:
        head = client.recv(400)
        assert b" 200 " in head, head
    ready.set()
    while True:
        for client in clients:
            client.recv(40_000)
        time.sleep(0.2)
