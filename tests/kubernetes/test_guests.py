"""What a process's Pod brings, keeps from us, or brings too much of; the desk is real, the cluster is a fake."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from studio.rasa.cluster import desk
from studio.rasa.cluster import processes as module
from studio.rasa.cluster.agent import Desk as AgentsDesk
from studio.rasa.cluster.agent import DeskGone
from studio.rasa.cluster.desk import Desk
from studio.rasa.cluster.processes import KubernetesProcesses, Place
from studio.rasa.process import Handle, Limits, Spec
from tests.kubernetes.fakes import FakeApi
from tests.rasa.implementations import eventually

MB = 1024 * 1024


class Visitor:
    """A process whose Pod is played by the test, which speaks to the desk as the agent does."""

    def __init__(self, folder: Path, api: FakeApi, **options: Any) -> None:
        self.api, self.house = api, Desk()
        self.processes = KubernetesProcesses(Place(image="rasa:1"), self.house, api)
        self.spec = Spec(("train",), folder / "work", folder / "work" / "log", **options)
        self.handle: Handle = self.processes.start(self.spec)
        [body] = api.made.values()
        env = {one["name"]: one["value"] for one in body["spec"]["template"]["spec"]["containers"][0]["env"]}
        self.token, path = env["PARLEY_DESK_TOKEN"], env["PARLEY_DESK"].partition("10.0.0.1:")[2]
        self.url = f"http://127.0.0.1:{path}"
        self.desk = AgentsDesk(self.url, self.token)
        self.written = 0

    @property
    def guest(self) -> Any:
        return self.house.guest(self.handle.mark.partition("@")[0])

    def arrive(self) -> None:
        assert self.desk.send("GET", "", None)

    def say(self, text: bytes = b"", **facts: Any) -> Any:
        report = json.dumps({"mark": self.handle.mark, "code": None, **facts})
        answer = self.desk.send("POST", f"?from={self.written}", text, **{"X-Report": report})
        assert answer is not None
        self.written += len(text)
        return json.loads(answer)

    def bring(self, name: str, content: bytes) -> bytes | None:
        return self.desk.send("PUT", f"/{name}", content, **{"Content-Length": str(len(content))})

    def begin_to_bring(self, name: str, length: int, content: bytes) -> socket.socket:
        """A result that is not brought to its end yet."""
        url = urlsplit(self.url)
        line = socket.create_connection((url.hostname, url.port))
        head = f"PUT {url.path}/{name} HTTP/1.0\r\nAuthorization: Bearer {self.token}\r\nContent-Length: {length}\r\n"
        line.sendall(head.encode() + b"\r\n" + content)
        return line


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path, FakeApi(), limits=Limits(disk=MB))


# --- Silence ------------------------------------------------------------------------------------------------------


def test_a_pod_of_which_nothing_is_heard_any_more_is_lost_and_said_so(visitor: Visitor, monkeypatch) -> None:
    visitor.arrive()
    visitor.say()
    assert visitor.processes.poll(visitor.handle).running
    visitor.guest.heard -= module._SILENT_SECONDS + 1
    status = visitor.processes.poll(visitor.handle)
    assert (status.running, status.code) == (False, None)  # which is tried once more
    assert "Nothing was heard of its Pod for 90 seconds" in status.explain()
    visitor.api.lingering = True
    began = time.monotonic()
    assert "Nothing was heard" in visitor.processes.stop(visitor.handle, grace=5).why
    assert time.monotonic() - began < 3  # its node does not say that it has ended: that is not waited for
    assert (visitor.api.made, visitor.api.pods_left) == ({}, set())


def test_who_brings_a_large_result_is_not_silent(visitor: Visitor) -> None:
    visitor.arrive()
    visitor.guest.heard -= module._SILENT_SECONDS + 1
    assert visitor.bring("large", b"x" * 1000) == b""
    assert visitor.processes.poll(visitor.handle).running


def test_who_brings_what_is_refused_is_not_silent(visitor: Visitor) -> None:
    visitor.arrive()
    visitor.guest.heard -= module._SILENT_SECONDS + 1
    with visitor.begin_to_bring("log", 4 * desk.CHUNK, b"") as line:
        assert eventually(lambda: visitor.guest.silence() < 1)
        visitor.guest.heard -= module._SILENT_SECONDS + 1
        line.sendall(b"x" * 2 * desk.CHUNK)
        assert eventually(lambda: visitor.guest.silence() < 1)
        assert visitor.processes.poll(visitor.handle).running


def test_one_that_brings_too_much_and_then_is_silent_has_passed_its_limit(visitor: Visitor) -> None:
    visitor.arrive()
    assert visitor.bring("one", b"x" * (MB + 1)) != b""
    visitor.guest.heard -= module._SILENT_SECONDS + 1
    status = visitor.processes.poll(visitor.handle)
    assert not status.running
    assert status.exceeded is not None  # which is not tried once more


def test_one_that_has_not_arrived_yet_is_not_lost(visitor: Visitor) -> None:
    visitor.guest.made -= 1000
    assert visitor.processes.poll(visitor.handle).running


# --- Too much -----------------------------------------------------------------------------------------------------


def test_results_beyond_the_limit_are_refused_in_words_and_end_it(visitor: Visitor) -> None:
    visitor.arrive()
    assert visitor.bring("one", b"x" * (MB // 2)) == b""
    refused = visitor.bring("two", b"x" * (MB // 2 + 1))
    assert refused is not None and b"log and results may take" in refused
    assert not (visitor.spec.folder / "two").exists()
    assert visitor.say()["stop"] == 0.0
    visitor.say(code=0, ended=True)
    status = visitor.processes.poll(visitor.handle)
    assert not status.running
    assert status.exceeded is not None
    assert "of the disk; it may take" in status.explain()


def test_the_same_result_twice_counts_once_and_many_small_ones_count_as_blocks(visitor: Visitor) -> None:
    visitor.arrive()
    for _ in range(3):
        assert visitor.bring("one", b"x" * (MB // 2)) == b""
    answers = [visitor.bring(f"small{number}", b"") for number in range(200)]
    assert 0 < sum(answer == b"" for answer in answers) < 150


def test_two_results_at_once_come_one_after_the_other(visitor: Visitor) -> None:
    visitor.arrive()
    with visitor.begin_to_bring("one", 10, b"first") as line, ThreadPoolExecutor(1) as pool:
        assert eventually((visitor.spec.folder / "one.new").exists)
        second = pool.submit(visitor.bring, "one", b"second")
        with pytest.raises(TimeoutError):
            second.result(0.5)
        line.sendall(b"-rest")
        assert second.result(10) == b""
    assert (visitor.spec.folder / "one").read_bytes() == b"second"


def test_a_smaller_result_that_breaks_off_hides_no_larger_one(visitor: Visitor) -> None:
    visitor.arrive()
    assert visitor.bring("one", b"x" * (MB // 4 * 3)) == b""
    with visitor.begin_to_bring("one", 10, b"x"):
        assert eventually((visitor.spec.folder / "one.new").exists)
    assert visitor.bring("two", b"x" * (MB // 4 * 3)) == b""
    assert sum(path.stat().st_size for path in visitor.spec.folder.iterdir() if path.is_file()) <= MB


def test_folders_of_results_take_room_too(visitor: Visitor) -> None:
    visitor.arrive()
    answers = [visitor.bring("/".join([name] * 150), b"x") for name in "ab"]
    assert answers[0] == b""
    assert answers[1] is not None and b"log and results may take" in answers[1]


def test_the_number_of_results_has_an_end(visitor: Visitor, monkeypatch) -> None:
    monkeypatch.setattr(desk, "MOST_RESULTS", 3)
    visitor.arrive()
    answers = [visitor.bring(name, b"x") for name in ("1", "2", "3", "4", "1")]
    assert answers == [b"", b"", b"", b"not taken: it may bring 3 files", b""]


def test_a_log_beyond_the_limit_ends_it_and_fills_no_disk(visitor: Visitor) -> None:
    visitor.arrive()
    for _ in range(8):
        visitor.say(b"x" * (MB // 4))
    assert visitor.say()["stop"] == 0.0
    assert visitor.spec.log.stat().st_size <= MB
    visitor.say(code=-9, ended=True)
    assert visitor.processes.poll(visitor.handle).exceeded is not None


# --- Refused ------------------------------------------------------------------------------------------------------


def test_who_is_sent_away_hears_so_though_much_was_to_be_brought(visitor: Visitor) -> None:
    stranger = AgentsDesk(visitor.url, "another token")
    with pytest.raises(DeskGone, match="404"):
        stranger.send("PUT", "/model", b"x" * (20 * MB), **{"Content-Length": str(20 * MB)})


def test_a_result_for_a_place_that_is_not_its_own_is_answered_though_it_is_large(visitor: Visitor) -> None:
    refused = visitor.bring("log", b"x" * (20 * MB))
    assert refused is not None and b"no place of its own" in refused


# --- The cluster's queue ------------------------------------------------------------------------------------------


def test_what_waits_for_the_cluster_waits_and_has_a_limit_of_its_own(tmp_path: Path) -> None:
    pulling = SimpleNamespace(reason="ContainerCreating", message=None)
    visitor = Visitor(tmp_path, FakeApi(phase="Pending", waits=pulling))
    status = visitor.processes.poll(visitor.handle)
    assert (status.running, status.is_waiting) == (True, True)
    assert visitor.spec.log.read_text() == ""  # nothing that is said for a moment
    visitor.api.age = 60
    visitor.processes._seen.clear()
    assert "image to be fetched" in visitor.processes.poll(visitor.handle).why
    assert visitor.spec.log.read_text().startswith("Kubernetes: It waits for its image")
    visitor.api.age = 1000
    visitor.processes._seen.clear()
    status = visitor.processes.poll(visitor.handle)
    assert not status.running
    assert status.explain().startswith("It did not start within 15 min. It waits for its image")


def test_once_its_pod_has_arrived_it_waits_no_more(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path, FakeApi(phase="Pending"))
    assert visitor.processes.poll(visitor.handle).is_waiting
    visitor.arrive()
    assert not visitor.processes.poll(visitor.handle).is_waiting
