"""`python -m bench.fake_rasa PORT SECONDS`: answers every message after so many seconds, as the `rasa` channel does."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = json.dumps([{"recipient_id": "x", "text": "Hello!"}]).encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    seconds = 0.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Server)
        time.sleep(self.server.seconds)
        self._answer(ANSWER)

    def do_GET(self) -> None:
        self._answer(b'{"model_file": "m.tar.gz", "model_id": "m", "num_active_training_jobs": 0, "events": []}')

    def _answer(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    Server.seconds = float(sys.argv[2])
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
