"""A TCP proxy that is as bad as a network can be: it waits, cuts, and changes bytes."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.stack.programs import free_port


class Proxy:
    """Between a client and 127.0.0.1:`target`. Counts are of one connection and one direction."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.wait_seconds = 0.0  # before each piece of an answer
        self.cut_down_after: int | None = None  # bytes of answers
        self.cut_up_after: int | None = None  # bytes of requests
        self.cuts = 1_000_000  # how many are left
        self.made_cuts = 0
        self.change_up: Callable[[bytes], bytes] = bytes
        self.change_down: Callable[[bytes], bytes] = bytes
        self.on_cut: Callable[[], object] = lambda: None
        self.largest_up = 0
        self._listening = socket.create_server(("127.0.0.1", self.port))

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                near.close()
                continue
            for run in (self._up, self._down):
                threading.Thread(target=run, args=(near, far), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        for piece in _pieces(near):
            passed += len(piece)
            self.largest_up = max(self.largest_up, passed)
            if self.cut_up_after is not None and passed > self.cut_up_after and self._cut(near, far):
                return
            if not _sent(far, self.change_up(piece)):
                break
        _end(near, far)

    def _down(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        for piece in _pieces(far):
            passed += len(piece)
            time.sleep(self.wait_seconds)
            if self.cut_down_after is not None and passed > self.cut_down_after and self._cut(near, far):
                return
            if not _sent(near, self.change_down(piece)):
                break
        _end(near, far)

    def _cut(self, near: socket.socket, far: socket.socket) -> bool:
        if self.cuts <= 0:
            return False
        self.cuts -= 1
        self.made_cuts += 1
        self.on_cut()
        with contextlib.suppress(OSError):  # the other direction has ended already
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        _end(near, far)
        return True


def _pieces(source: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while piece := source.recv(64 * 1024):
            yield piece


def _sent(sink: socket.socket, piece: bytes) -> bool:
    try:
        sink.sendall(piece)
    except OSError:
        return False
    return True


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def before(target: int) -> Iterator[Proxy]:
    proxy = Proxy(target)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
