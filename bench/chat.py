"""`python -m bench chat`: a message through Talk, against the same message straight to Rasa, over two of its channels.

The server is a Rasa as the controller starts it for a managed production, with Rasa's own REST channel beside ours: it
checks nobody, and is what teams without Parley speak to.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import requests

from bench.installation import Installation, installation, production
from bench.person import Person
from bench.rows import Row
from bench.training import trained_model

if TYPE_CHECKING:
    from models_app.models import Model
    from studio.rasa.process import Spec
    from studio.rasa.runtime import Runtime

# Talk lets one person say 60 messages a minute.
MESSAGES = 54
WARMING_UP = 4
TEXT = "hello"
AIM_SECONDS, AIM_SHARE = 0.015, 0.10
Sent = tuple[dict[str, str], dict[str, str]]  # body and headers
TOKEN = "of this benchmark alone"


def run() -> list[Row]:
    with installation() as house, rasa_server(house, trained_model(house)) as address:
        return compare(Person(house), address, _private_key())


@contextlib.contextmanager
def rasa_server(house: Installation, model: "Model") -> Iterator[str]:
    """The address of production's Rasa, which has taken `model` from there."""
    from environments.services.environments import update_environment
    from environments.services.promotion import promote
    from studio.rasa.client import RasaClient, RasaError
    from studio.rasa.commands import free_port
    from studio.rasa.local import LocalProcesses
    from studio.rasa.services import find_runtime

    port, runtime = free_port(), find_runtime()
    address = f"http://127.0.0.1:{port}"
    assert runtime is not None
    processes = LocalProcesses(runtime.python, house.folder / "home")
    promote(actor=None, environment=production(), model=model)
    update_environment(actor=None, environment=production(), kind="connected", url=address, server_token=TOKEN)

    def answers() -> bool | None:
        with contextlib.suppress(RasaError):
            return RasaClient(address, TOKEN).status().has_model or None
        return None

    handle = processes.start(_with_rest_channel(port, model, runtime))
    try:
        house.wait(answers, "the server")
        yield address
    finally:
        processes.stop(handle)


def _with_rest_channel(port: int, model: "Model", runtime: "Runtime") -> "Spec":
    from environments.controller.folder import prepare
    from environments.services.database import ensure_intake
    from environments.serving.code import code_of

    ensure_intake(production())
    spec = prepare(production(), port=port, token=TOKEN, code=code_of(model), runtime=runtime)
    with (spec.folder / "credentials.yml").open("a") as file:
        file.write("\nrest:\n")
    return spec


def _private_key() -> str:
    from studio.crypto import decrypt

    return decrypt(production().private_key_encrypted)


def compare(person: Person, rasa: str, private_pem: str) -> list[Row]:
    """All ways take turns, so that whatever else the machine does meets all of them."""
    ways = (through_talk(person), over_rest(rasa), over_rasa_channel(rasa, private_pem))
    for way in ways * WARMING_UP:
        way()
    found = [[timed(way) for way in ways] for _ in range(MESSAGES - WARMING_UP)]
    ours, rest, signed = zip(*found, strict=True)
    return [
        row("a message, sent to answered", ours, "Rasa's REST channel", rest),
        row("the same", ours, "the `rasa` channel, signed", signed),
    ]


def row(what: str, ours: tuple[float, ...], channel: str, theirs: tuple[float, ...]) -> Row:
    """What we add is taken of each turn of both: a machine that is busy for a while meets both times alike."""
    alone = statistics.median(theirs)
    added = statistics.median(one - other for one, other in zip(ours, theirs, strict=True))
    result = f"{added * 1e3:+.1f} ms ({added / alone:+.0%})"
    aim = f"+{AIM_SECONDS * 1e3:.0f} ms or +{AIM_SHARE:.0%}"
    compared = f"{channel} {alone * 1e3:.1f} ms"
    holds = added <= max(AIM_SECONDS, AIM_SHARE * alone)
    return Row(what, f"{statistics.median(ours) * 1e3:.1f} ms", compared, result, aim, holds)


def timed(way: Callable[[], None]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def through_talk(person: Person) -> Callable[[], None]:
    """In a conversation that has begun."""
    begun = _answer(person, "/a/default/talk/production/say")

    def say() -> None:
        _answer(person, begun["addresses"]["say"])

    return say


def _answer(person: Person, path: str) -> dict[str, dict[str, str]]:
    answer: dict[str, dict[str, str]] = person.send(path, {"text": TEXT}).response.json()
    assert answer["said"], "the assistant said nothing"
    return answer


def over_rest(rasa: str) -> Callable[[], None]:
    return _directly(f"{rasa}/webhooks/rest/webhook", lambda: ({"sender": "bench-rest", "message": TEXT}, {}))


def over_rasa_channel(rasa: str, private_pem: str, who: str = "bench-direct") -> Callable[[], None]:
    """The channel that Talk uses; it checks who speaks. Rasa answers one conversation's messages one by one."""
    from studio.rasa.signing import chat_token

    def signed() -> Sent:
        return {"message": TEXT}, {"Authorization": f"Bearer {chat_token(private_pem, who)}"}

    return _directly(f"{rasa}/webhooks/rasa/webhook", signed)


def _directly(address: str, message: "Callable[[], Sent]") -> Callable[[], None]:
    session = requests.Session()

    def say() -> None:
        body, headers = message()
        answer = session.post(address, json=body, headers=headers, timeout=120)
        answer.raise_for_status()
        assert answer.json(), "Rasa said nothing"

    return say
