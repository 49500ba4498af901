"""`python -m bench guests`: 200 guests on one share link, against 200 who ask the same server directly.

The server is made up, and answers each message after a fixed time: what is measured is Parley. Every guest opens the
page, says a few messages with pauses as people make them, and asks for news between them as the page does.
"""

import contextlib
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import requests

from bench.ground import CHECKOUT, free_port
from bench.installation import Installation, installation, production
from bench.rows import NotRun, Row

GUESTS = 200
MESSAGES = 4
ANSWER_SECONDS = 0.3
PAUSE = 10.0, 20.0  # between an answer and the next message: people read, think and write
FIRST_NEWS, NEWS_EVERY = 0.6, 5.0  # as static/js/chat.js asks when events come
AIM_MEDIAN, AIM_TAIL = 0.10, 0.30
TOKEN = "of this benchmark alone"


@dataclass
class Found:
    """Seconds of each message, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def tail(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[-1]


def run() -> list[Row]:
    with installation(PARLEY_TRUSTED_PROXIES="1", PARLEY_TRAINING_WORKERS="0") as house, slow_rasa() as rasa:
        page = link_to(rasa)
        direct = everybody(lambda found, number: ask_directly(found, rasa, number))
        through = everybody(lambda found, number: be_a_guest(found, house, page, number))
    print(f"  {len(through.seconds)} messages of {GUESTS} guests, {len(through.errors)} errors", flush=True)
    for error in through.errors[:5]:
        print(f"  {error}", flush=True)
    return rows(through, direct)


def rows(through: Found, direct: Found) -> list[Row]:
    if len(direct.seconds) < 2 or len(through.seconds) < 2:
        raise NotRun("hardly a message was answered.")
    pairs = [
        ("median", statistics.median(through.seconds), statistics.median(direct.seconds), AIM_MEDIAN),
        ("95th percentile", through.tail, direct.tail, AIM_TAIL),
    ]
    found = [
        Row(
            f"{GUESTS} guests on one link, {name}",
            f"{ours * 1e3:.0f} ms",
            f"the server directly {theirs * 1e3:.0f} ms",
            f"{ours / theirs - 1:+.0%}",
            f"+{aim:.0%}",
            ours / theirs - 1 <= aim,
        )
        for name, ours, theirs, aim in pairs
    ]
    wrong = len(through.errors)
    return [*found, Row("the same, errors", str(wrong), "", f"of {GUESTS * MESSAGES}", "0", wrong == 0)]


@contextlib.contextmanager
def slow_rasa() -> Iterator[str]:
    port = free_port()
    command = (sys.executable, "-m", "bench.fake_rasa", str(port), str(ANSWER_SECONDS))
    with subprocess.Popen(command, cwd=CHECKOUT) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address)
            yield address
        finally:
            process.kill()


def _wait_for(address: str) -> None:
    for _ in range(100):
        with contextlib.suppress(requests.ConnectionError):
            requests.get(address, timeout=5)
            return
        time.sleep(0.1)
    raise RuntimeError("the made-up server does not answer")


def link_to(rasa: str) -> str:
    """The path of a link to production, which is this server."""
    from conversations.chat.links import create_link
    from environments.services.environments import update_environment
    from studio.access.models import User
    from studio.crypto import decrypt

    update_environment(actor=None, environment=production(), kind="connected", url=rasa, server_token=TOKEN)
    admin = User.objects.get(username="admin")
    link = create_link(actor=admin, environment=production(), name="bench")
    return f"/s/{decrypt(link.code_encrypted)}"


def everybody(act: Callable[[Found, int], None]) -> Found:
    """All at the same time; they begin within one pause."""
    found = Found()

    def one(number: int) -> None:
        time.sleep(number / GUESTS * PAUSE[1])
        try:
            act(found, number)
        except (requests.RequestException, AssertionError, KeyError) as error:
            found.errors.append(f"guest {number}: {error}"[:200])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(GUESTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def ask_directly(found: Found, rasa: str, number: int) -> None:
    chance, session = random.Random(number), requests.Session()
    for _ in range(MESSAGES):
        began = time.perf_counter()
        answer = session.post(f"{rasa}/webhooks/rasa/webhook", json={"message": "hello"}, timeout=60)
        found.seconds.append(time.perf_counter() - began)
        assert answer.json()
        time.sleep(chance.uniform(*PAUSE))


def be_a_guest(found: Found, house: Installation, page: str, number: int) -> None:
    chance, session = random.Random(number), requests.Session()
    session.headers["X-Forwarded-For"] = f"10.0.{number // 250}.{number % 250 + 1}"  # each at home
    opened = session.get(f"{house.address}{page}", timeout=60)
    opened.raise_for_status()
    session.headers["X-CSRFToken"] = session.cookies[f"parley_csrf_{house.port}"]
    session.headers["Origin"] = house.address
    session.post(f"{house.address}{page}/hello", timeout=60).raise_for_status()
    conversation = ""
    for turn in range(MESSAGES):
        fields = {"text": "hello", "nonce": f"{number:04}-{turn:04}-bench-bench", "conversation": conversation}
        began = time.perf_counter()
        answer = session.post(f"{house.address}{page}/say", fields, timeout=60)
        found.seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200 and answer.json()["said"] == ["Hello!"], answer.text[:150]
        conversation = answer.json()["conversation"]
        _think(session, f"{house.address}{page}/news", chance.uniform(*PAUSE))


def _think(session: requests.Session, news: str, seconds: float) -> None:
    until, wait = time.monotonic() + seconds, FIRST_NEWS
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(wait, left))
        wait = NEWS_EVERY
        session.get(news, params={"after": "0"}, timeout=60).raise_for_status()
