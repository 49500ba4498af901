"""A small HTTP server for tests: answers what each test tells it to."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None  # writes to the socket's file itself


class SmallServer:
    """`replies` maps a path to a Reply, or to a function of what was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Callable[[Seen], Reply]] = {}
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        reply = self.replies.get(seen.path, Reply(404, "Not Found"))
        return reply(seen) if callable(reply) else reply

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = dict(parse_qsl(parts.query))
                seen = Seen(self.command, parts.path, query, dict(self.headers), body, self.client_address)
                reply = outer.answer(seen)
                if reply.raw is not None:
                    reply.raw(self)
                    self.close_connection = True
                    return
                text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
                self.send_response(reply.status)
                for name, value in {**_described(text), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = handle_any  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        return Handler


def _described(text: str) -> dict[str, str]:
    return {"Content-Length": str(len(text.encode())), "Content-Type": "application/json"}
