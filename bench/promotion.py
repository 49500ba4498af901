"""`python -m bench promotion`: from Save in the dialog to "running", with a real Rasa that polls.

Most of that time is Rasa's: it waits for its next poll, loads the model, and waits again before it says what it runs.
A small proxy between it and the web writes down when its polls came, so that the rest, Parley's own, is left.
"""

import gzip
import io
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from bench.installation import Installation, default_assistant, installation, production
from bench.person import Person
from bench.rows import Row
from bench.training import trained_model

if TYPE_CHECKING:
    from datetime import datetime

    from models_app.models import Model

TIMES = 6
AIM = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Poll:
    """Times of the wall clock, as the database has them too."""

    came: float
    ended: float
    knows: str  # the ETag that it shows
    status: int


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one promotion."""

    whole: float
    waiting: float  # for the poll that takes the model
    loading: float  # from there to the poll that says so

    @property
    def parley(self) -> float:
        return self.whole - self.waiting - self.loading


class Proxy(ThreadingHTTPServer):
    """Hands requests on to the web, and keeps the polls."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hand)
        self.web_port = 0
        self.polls: list[Poll] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Hand(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        came = time.time()
        web = HTTPConnection("127.0.0.1", self.server.web_port, timeout=60)
        web.request("GET", self.path, headers=dict(self.headers))
        answer = web.getresponse()
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "/tags/" in self.path:
            knows = self.headers.get("If-None-Match", "").strip('"')
            self.server.polls.append(Poll(came, time.time(), knows, answer.status))

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


def run() -> list[Row]:
    proxy = Proxy()
    with installation(PARLEY_INTERNAL_URL=proxy.address) as house:
        proxy.web_port = house.port
        models = prepare(house)
        person = Person(house)
        timed = [measure(house, person, proxy, next(models)) for _ in range(TIMES)]
    waiting, loading, whole, parley = (
        statistics.median(getattr(one, name) for one in timed) for name in ("waiting", "loading", "whole", "parley")
    )
    theirs = f"waits {waiting:.1f} s for its poll, loads and polls again {loading:.1f} s"
    return [
        Row("promotion, Save to running", f"{whole:.1f} s", f"of it Rasa {theirs}"),
        Row("its part without Rasa's", f"{parley:.2f} s", "", f"{parley:+.2f} s", f"+{AIM} s", parley <= AIM),
    ]


def prepare(house: Installation) -> "Iterator[Model]":
    """A server of ours runs the first of two models; from then on each in turn."""
    from environments.services.managed import run_here
    from environments.services.promotion import promote

    first = trained_model(house)
    second = _same_in_other_bytes(first)
    run_here(actor=None, environment=production())
    promote(actor=None, environment=production(), model=first)
    house.wait(_running_at, "the first model to run")
    return _in_turn(second, first)


def _same_in_other_bytes(model: "Model") -> "Model":
    """Rasa loads it alike, and it is another file."""
    from models_app.services.models import add_model
    from models_app.storage import store

    with store().open(model.artifact_id) as source:
        content = gzip.compress(gzip.decompress(source.read()), compresslevel=1)
    added = add_model(
        actor=None,
        assistant=default_assistant(),
        source=io.BytesIO(content),
        file_name="second.tar.gz",
        origin="uploaded",
    )
    return added.model


def _in_turn(*models: "Model") -> "Iterator[Model]":
    while True:
        yield from models


def _running_at() -> "datetime | None":
    """When the last promotion came to run; None as long as it does not."""
    from environments.models import Promotion, PromotionTransition

    last = Promotion.objects.filter(environment=production()).first()
    row = PromotionTransition.objects.filter(promotion=last, state="running").first()
    if row is None and PromotionTransition.objects.filter(promotion=last, state="failed").exists():
        raise RuntimeError("The promotion failed.")
    return row.at if row else None


def measure(house: Installation, person: Person, proxy: Proxy, model: "Model") -> Timed:
    environment = production()
    assert environment.tag is not None, "an environment that is not removed has its tag"
    seen = {f"current-{environment.pk}": str(environment.tag.model_id)}
    fields = {"environment": str(environment.pk), "reason": "Bench", **seen}
    answer = person.send(f"/a/default/models/{model.name}/promote", fields)
    if answer.response.status_code == 200:
        raise RuntimeError("The dialog was shown again: nothing was promoted.")
    running = house.wait(_running_at, "the model to run").timestamp()
    taken = next(poll for poll in proxy.polls if poll.came > answer.clicked and poll.status == 200)
    told = next(poll for poll in proxy.polls if poll.came > taken.ended and poll.knows == model.artifact_id)
    waiting = max(0.0, taken.came - answer.answered)
    timed = Timed(running - answer.clicked, waiting, told.came - taken.ended)
    print(f"  {timed.whole:.2f} s, of it Parley {timed.parley:.3f} s", flush=True)
    return timed
