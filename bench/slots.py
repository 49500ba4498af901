"""`python -m bench slots`: a model tried in a slot, against `rasa run` by hand; and many who talk to it at once.

Both starts are of the same Rasa with the same archive, channel and stores; the one by hand has its files ready.
"""

import contextlib
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.chat import TEXT, over_rasa_channel
from bench.installation import Installation, default_assistant, installation
from bench.person import Person
from bench.rows import Row
from bench.training import trained_model

if TYPE_CHECKING:
    from environments.models import Environment, Slot
    from models_app.models import Model
    from studio.rasa.client import RasaClient

ROUNDS = 3
AIM_SECONDS = 0.5
CROWDS = (1, 10, 50)
MESSAGES = 12  # of each person


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds till it has its model, and from there to its first reply; bytes of memory as told and as seen."""

    ready: float
    first_reply: float
    told: int = 0
    seen: int = 0


def run() -> list[Row]:
    with installation() as house:
        model = trained_model(house)
        place = _place()
        with by_hand(house, place, model):  # brings Rasa from the disk into memory, for both
            pass
        pairs = [(_bare(house, place, model), _slot(house, model)) for _ in range(ROUNDS)]
        return [*_starts(pairs), *_crowds(house, place, model)]


def _place() -> "Environment":
    from environments.services.database import ensure_intake
    from environments.services.trying import place_of

    place = place_of(default_assistant())
    ensure_intake(place)
    return place


def _starts(pairs: list[tuple[Start, Start]]) -> list[Row]:
    bare, ours = zip(*pairs, strict=True)
    added = statistics.median(slot.ready - alone.ready for alone, slot in pairs)
    theirs = statistics.median(one.ready for one in bare)
    first = statistics.median(slot.first_reply - alone.first_reply for alone, slot in pairs)
    told = statistics.median(one.told / one.seen for one in ours)
    return [
        Row(
            "a slot, from the wish to ready",
            f"{statistics.median(one.ready for one in ours):.1f} s",
            f"rasa run {theirs:.1f} s",
            f"{added:+.2f} s",
            f"+{AIM_SECONDS} s",
            added <= AIM_SECONDS,
        ),
        Row(
            "its first reply",
            f"{statistics.median(one.first_reply for one in ours) * 1e3:.0f} ms",
            f"the same Rasa {statistics.median(one.first_reply for one in bare) * 1e3:.0f} ms",
            f"{first * 1e3:+.0f} ms",
        ),
        Row(
            "memory of a slot, as its page shows it",
            f"{statistics.median(one.told for one in ours) / 1e6:.0f} MB",
            f"the sum of its processes {statistics.median(one.seen for one in ours) / 1e6:.0f} MB",
            f"{told:.0%}",
        ),
    ]


def _slot(house: Installation, model: "Model") -> Start:
    from environments.services import slots

    began = time.perf_counter()
    slot = slots.ask(actor=None, model=model)
    house.wait(lambda: _is_ready(slot), "the slot")
    ready = time.perf_counter() - began
    person = Person(house)
    began = time.perf_counter()
    _say(person, f"/a/default/try/{model.name}/say")
    first = time.perf_counter() - began
    time.sleep(5)  # two beats, so that the row has the memory of now
    slot.refresh_from_db()
    seen = sum(_pss(process) for process in _processes(house, f"/slots/{slot.pk}-"))
    slots.stop(actor=None, slot=slot, why="measured")
    house.wait(lambda: _has_ended(slot), "its end")
    return Start(ready, first, slot.memory or 0, seen)


def _is_ready(slot: "Slot") -> bool | None:
    slot.refresh_from_db(fields=["state", "message"])
    if slot.is_ended:
        raise RuntimeError(f"The slot {slot.state}: {slot.message}")
    return slot.state == slot.State.RUNNING or None


def _has_ended(slot: "Slot") -> bool | None:
    slot.refresh_from_db(fields=["state"])
    return slot.is_ended or None


def _processes(house: Installation, word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word in one for one in words) and any(str(house.data) in one for one in words):
            found.append(process)
    return found


def _pss(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


@contextlib.contextmanager
def by_hand(house: Installation, place: "Environment", model: "Model") -> Iterator[tuple["RasaClient", Path]]:
    """`rasa run` with the archive and the files of a slot, started at once; its folder."""
    from environments.serving.code import code_of
    from environments.serving.files import server_spec
    from models_app.services.archives import fetch_archive
    from studio.rasa.client import RasaClient
    from studio.rasa.commands import free_port
    from studio.rasa.local import LocalProcesses
    from studio.rasa.services import find_runtime

    runtime, port, token = find_runtime(), free_port(), secrets.token_urlsafe(16)
    assert runtime is not None
    folder = house.folder / f"by-hand-{port}"
    folder.mkdir()
    fetch_archive(model, folder / model.file_name)
    spec = server_spec(
        place,
        folder=folder,
        log=folder / "rasa.log",
        port=port,
        token=token,
        code=code_of(model),
        runtime=runtime,
        model=folder / model.file_name,
    )
    processes = LocalProcesses(runtime.python, house.folder / "home")
    handle = processes.start(spec)
    try:
        yield RasaClient(f"http://127.0.0.1:{port}", token, timeout=60, hosts=("127.0.0.1",)), folder
    finally:
        processes.stop(handle)


def _bare(house: Installation, place: "Environment", model: "Model") -> Start:
    began = time.perf_counter()
    with by_hand(house, place, model) as (client, _folder):
        house.wait(lambda: _answers(client), "rasa run")
        ready = time.perf_counter() - began
        say = over_rasa_channel(client.url, _key(place))
        began = time.perf_counter()
        say()
        return Start(ready, time.perf_counter() - began)


def _answers(client: "RasaClient") -> bool | None:
    from studio.rasa.client import RasaError

    with contextlib.suppress(RasaError):
        return client.status().has_model or None
    return None


def _key(place: "Environment") -> str:
    from studio.crypto import decrypt

    return decrypt(place.private_key_encrypted)


# --- Many at once -------------------------------------------------------------------------------------------------


def _crowds(house: Installation, place: "Environment", model: "Model") -> Iterator[Row]:
    """The same slot is asked through Talk and directly, crowd by crowd in turns."""
    from environments.services import slots
    from environments.services.address import slot_of

    slot = slots.ask(actor=None, model=model)
    house.wait(lambda: _is_ready(slot), "the slot")
    address = slot_of(model).url
    people = [_guest_of_the_house(house, number) for number in range(max(CROWDS))]
    for crowd in CROWDS:
        ours = _together([_through_us(person, model) for person in people[:crowd]])
        theirs = _together(
            [over_rasa_channel(address, _key(place), f"bench-{crowd}-{number}") for number in range(crowd)]
        )
        added = statistics.median(ours) - statistics.median(theirs)
        yield Row(
            f"a message, {crowd} at once" if crowd > 1 else "a message, one person",
            f"{statistics.median(ours) * 1e3:.0f} ms, 95 % {_p95(ours) * 1e3:.0f} ms",
            f"Rasa directly {statistics.median(theirs) * 1e3:.0f} ms, 95 % {_p95(theirs) * 1e3:.0f} ms",
            f"{added * 1e3:+.0f} ms ({added / statistics.median(theirs):+.0%})",
        )


def _guest_of_the_house(house: Installation, number: int) -> Person:
    """Limits count by person, so each is another one."""
    from studio.access.models import Grant, Role
    from studio.access.services.people import create_person

    name, password = f"bench-{number}", "correct horse battery"
    user = create_person(actor=None, username=name, email="", password=password)
    Grant.objects.create(user=user, role=Role.objects.get(name="annotator"))
    return Person(house, name, password)


def _through_us(person: Person, model: "Model") -> Callable[[], None]:
    address = [f"/a/default/try/{model.name}/say"]

    def say() -> None:
        address[0] = _say(person, address[0])

    return say


def _say(person: Person, path: str) -> str:
    """The address at which the conversation goes on."""
    answer = person.send(path, {"text": TEXT}).response.json()
    assert answer["said"], "the assistant said nothing"
    return str(answer["addresses"]["say"])


def _together(people: list[Callable[[], None]]) -> list[float]:
    """Seconds of each message; all begin at the same moment, each says the next when it was answered."""
    start = threading.Barrier(len(people))

    def talk(say: Callable[[], None]) -> list[float]:
        start.wait()
        say()  # a conversation's first message is not like the others
        found = []
        for _ in range(MESSAGES):
            began = time.perf_counter()
            say()
            found.append(time.perf_counter() - began)
        return found

    with ThreadPoolExecutor(len(people)) as pool:
        return [one for times in pool.map(talk, people) for one in times]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18] if len(times) > 1 else times[0]
