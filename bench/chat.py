"""`python -m bench chat`: a message through Talk, against the same message straight to Rasa."""

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests

from bench.installation import Installation, default_assistant, ended_well, installation, production
from bench.person import Person
from bench.rows import Row
from bench.training import starter_revision

if TYPE_CHECKING:
    from environments.services.address import ServerAddress

# Talk lets one person say 60 messages a minute.
MESSAGES = 54
WARMING_UP = 4
TEXT = "hello"
AIM_SECONDS, AIM_SHARE = 0.015, 0.10


def run() -> list[Row]:
    with installation() as house:
        address = _running_server(house)
        return compare(Person(house), address.url, _private_key())


def _running_server(house: Installation) -> "ServerAddress":
    """A managed production with the starter's model."""
    from environments.services.managed import run_here
    from environments.services.promotion import promote
    from models_app.services.training import request_training

    job = request_training(actor=None, assistant=default_assistant(), revision=starter_revision())
    house.wait(lambda: ended_well(job), "the training")
    run_here(actor=None, environment=production())
    promote(actor=None, environment=production(), model=job.model)
    return house.wait(_address, "the server")


def _private_key() -> str:
    from studio.crypto import decrypt

    return decrypt(production().private_key_encrypted)


def _address() -> "ServerAddress | None":
    """Where the server with its model is, once it runs."""
    from environments.services.address import server_of
    from studio.errors import DomainError
    from studio.rasa.client import RasaClient, RasaError

    try:
        address = server_of(production())
        return address if RasaClient(address.url, address.token).status().has_model else None
    except (DomainError, RasaError):
        return None


def compare(person: Person, rasa: str, private_pem: str) -> list[Row]:
    """Both ways take turns, so that whatever else the machine does meets both."""
    ways = (through_talk(person), straight_to(rasa, private_pem))
    for way in ways * WARMING_UP:
        way()
    found = [[timed(way) for way in ways] for _ in range(MESSAGES - WARMING_UP)]
    ours, theirs = (statistics.median(times) for times in zip(*found, strict=True))
    added = ours - theirs
    holds = added <= max(AIM_SECONDS, AIM_SHARE * theirs)
    result = f"{added * 1e3:+.1f} ms ({added / theirs:+.0%})"
    aim = f"+{AIM_SECONDS * 1e3:.0f} ms or +{AIM_SHARE:.0%}"
    compared = f"Rasa alone {theirs * 1e3:.1f} ms"
    return [Row("a message, sent to answered", f"{ours * 1e3:.1f} ms", compared, result, aim, holds)]


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


def straight_to(rasa: str, private_pem: str) -> Callable[[], None]:
    """The `rasa` channel is Rasa's REST channel that also checks who speaks; a server of ours has no other."""
    from studio.rasa.signing import chat_token

    session = requests.Session()

    def say() -> None:
        headers = {"Authorization": f"Bearer {chat_token(private_pem, 'bench-direct')}"}
        answer = session.post(f"{rasa}/webhooks/rasa/webhook", json={"message": TEXT}, headers=headers, timeout=30)
        answer.raise_for_status()
        assert answer.json(), "Rasa said nothing"

    return say
