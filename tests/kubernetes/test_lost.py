"""What goes wrong in a real cluster: Pods that hang, an API server that hangs, one that is away at the start."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio.rasa.cluster import manifest
from studio.rasa.cluster import processes as module
from studio.rasa.cluster.processes import KubernetesProcesses
from studio.rasa.process import Handle, Spec, StartFailed
from tests.kubernetes.cluster import Cluster
from tests.rasa.implementations import IMPLEMENTATIONS, eventually, spec, wait_for_text

pytestmark = pytest.mark.kubernetes
COUNT = "import time\nfor n in range(600):\n    print(n, flush=True)\n    time.sleep(0.1)\n"


@pytest.fixture
def processes(cluster: Cluster, tmp_path: Path) -> KubernetesProcesses:
    made = IMPLEMENTATIONS["kubernetes"](tmp_path)
    assert isinstance(made, KubernetesProcesses)
    return made


def pods(cluster: Cluster, handle: Handle) -> list[object]:
    selector = f"{manifest.PROCESS}={handle.mark.partition('@')[0]}"
    return list(cluster.core.list_namespaced_pod("default", label_selector=selector).items)


@contextmanager
def paused(cluster: Cluster, handle: Handle) -> Iterator[None]:
    """Everything in its Pod stands still, as on a node that hangs."""
    [pod] = pods(cluster, handle)
    container = pod.status.container_statuses[0].container_id.removeprefix("containerd://")
    cluster.ctr("task", "pause", container)
    try:
        yield
    finally:
        cluster.ctr("task", "resume", container, check=False)


@contextmanager
def stopped_api(cluster: Cluster) -> Iterator[None]:
    """An API server that takes connections and answers nothing."""
    [process] = [process for name, process in cluster._processes if name == "kube-apiserver"]
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_pod_that_hangs_is_lost_after_a_while_and_nothing_of_it_is_left(
    processes: KubernetesProcesses, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SILENT_SECONDS", 4.0)
    handle = processes.start(spec(tmp_path, COUNT))
    wait_for_text(processes, handle, "5\n")
    with paused(cluster, handle):
        assert eventually(lambda: not processes.poll(handle).running, 15)
        assert "Nothing was heard of its Pod" in processes.poll(handle).explain()
        began = time.monotonic()
        processes.stop(handle, grace=5)
        assert time.monotonic() - began < 15
        assert pods(cluster, handle) == []


def test_an_api_server_that_hangs_holds_up_no_look_and_no_process(
    processes: KubernetesProcesses, cluster: Cluster, tmp_path: Path
) -> None:
    handle = processes.start(spec(tmp_path, COUNT))
    wait_for_text(processes, handle, "5\n")
    processes._seen.clear()
    with stopped_api(cluster):
        before, began = len(processes.read_log(handle).text), time.monotonic()
        for _ in range(10):
            assert processes.poll(handle).running
            time.sleep(0.2)
        assert time.monotonic() - began < 7
        assert len(processes.read_log(handle).text) > before  # its desk is ours, not the cluster's
    assert not processes.stop(handle, grace=1).running
    assert eventually(lambda: pods(cluster, handle) == [], 30)


def test_a_start_while_it_hangs_says_so_and_leaves_nothing(
    processes: KubernetesProcesses, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.rasa.cluster.api.CHANGE_SECONDS", 2)
    made: Spec = spec(tmp_path, COUNT)
    with (
        stopped_api(cluster),
        pytest.raises(StartFailed, match=r"Kubernetes did not take the Job\. Kubernetes does not answer"),
    ):
        processes.start(made)
    time.sleep(2)  # it may take the Job after all
    processes.end_all_of(made.folder)
    assert processes.left_below(made.folder.parent) == set()
