"""What becomes of processes while the cluster's API does not answer, or hangs."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.rasa.cluster import processes as module
from studio.rasa.cluster.api import LOOK_SECONDS
from studio.rasa.cluster.desk import Desk
from studio.rasa.cluster.processes import KubernetesProcesses, Place
from studio.rasa.process import Handle, Spec, StartFailed
from tests.kubernetes.fakes import FakeApi


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kubeconfig of an API server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        content = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(content))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield


def spec(folder: Path) -> Spec:
    return Spec(("run",), folder / "jobs" / "1-1", folder / "jobs" / "1-1" / "log")


def of_a_fake(api: FakeApi) -> KubernetesProcesses:
    return KubernetesProcesses(Place(image="rasa:1"), Desk(), api)


def test_an_api_server_that_hangs_holds_up_one_look_for_a_moment_and_the_next_not_at_all(hanging, tmp_path) -> None:
    processes = KubernetesProcesses(Place(namespace="ns"), Desk())
    handle = Handle(0, "ns/rasa-abc", str(tmp_path / "log"), f"abc@{tmp_path}")
    began = time.monotonic()
    assert processes.poll(handle).running
    assert time.monotonic() - began < LOOK_SECONDS + 20  # without a limit, for ever
    began = time.monotonic()
    for _ in range(20):
        assert processes.poll(handle).running
        assert processes.host(handle) is None
    assert time.monotonic() - began < 20


def test_a_start_says_that_the_cluster_does_not_answer(hanging, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("studio.rasa.cluster.api.CHANGE_SECONDS", 1)
    processes = KubernetesProcesses(Place(image="rasa:1", namespace="ns"), Desk())
    with pytest.raises(StartFailed, match=r"did not take the Job\. Kubernetes does not answer: it took too long"):
        processes.start(spec(tmp_path))


def test_a_start_says_that_there_is_no_cluster(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(StartFailed, match=r"Kubernetes does not answer: .*kube-config"):
        KubernetesProcesses(Place(image="rasa:1"), Desk()).start(spec(tmp_path))


def test_a_job_that_was_made_although_its_answer_did_not_come_is_deleted(tmp_path) -> None:
    api = FakeApi(mute=1)
    with pytest.raises(StartFailed, match="it took too long"):
        of_a_fake(api).start(spec(tmp_path))
    assert (api.made, api.pods_left) == ({}, set())


def test_who_could_not_look_for_what_is_left_says_so(tmp_path) -> None:
    api = FakeApi(faults=1)
    processes = of_a_fake(api)
    assert processes.left_below(tmp_path) is None
    assert processes.left_below(tmp_path) is None  # it is not asked again so soon
    assert of_a_fake(api).left_below(tmp_path) == set()


def test_a_deletion_that_fails_is_tried_again(tmp_path) -> None:
    api = FakeApi()
    processes = of_a_fake(api)
    handle = processes.start(spec(tmp_path))
    api.deaf = 1
    processes.stop(handle, grace=0)
    assert (api.made, api.pods_left) == ({}, set())


def test_what_could_not_be_deleted_is_found_by_who_sweeps(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.2)
    api = FakeApi()
    processes = of_a_fake(api)
    handle = processes.start(spec(tmp_path))
    api.deaf = 1000
    assert not processes.stop(handle, grace=0).running
    assert len(api.made) == 1
    api.deaf = 0
    assert of_a_fake(api).left_below(tmp_path / "jobs") == {"1-1"}
    assert of_a_fake(api).end_all_of(tmp_path / "jobs" / "1-1") == 1
    assert (api.made, api.pods_left) == ({}, set())


def test_a_cluster_that_answers_again_is_asked_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_AWAY_SECONDS", 0.1)
    api = FakeApi()
    processes = of_a_fake(api)
    handle = processes.start(spec(tmp_path))
    api.faults = 1
    assert processes.host(handle) is None
    time.sleep(0.15)
    assert processes.host(handle) == "10.1.1.1"
