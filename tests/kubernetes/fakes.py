"""A cluster whose fate the test decides, in the place of studio.rasa.cluster.api.Api. The real one: test_processes.py."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from studio.rasa.cluster import manifest
from studio.rasa.cluster.api import Api, NoAnswer

AWAY = NoAnswer("Kubernetes does not answer: it took too long.")


@dataclass
class FakeApi(Api):
    """Each Job has one Pod, in `phase`. `faults` is how many of the next calls fail; of deletions, `deaf`.

    `mute`: how many of the next Jobs are made without an answer.
    """

    faults: int = 0
    deaf: int = 0
    mute: int = 0
    phase: str = "Running"
    age: float = 0.0  # seconds since a Job and its Pod were made
    waits: Any = None  # its container's state
    made: dict[str, dict[str, Any]] = field(default_factory=dict)  # bodies of Jobs by name
    lingering: bool = False  # a Pod is there until it is deleted with no grace: its node does not say that it ended
    pods_left: set[str] = field(default_factory=set)  # Jobs whose Pods are there
    asked: int = 0

    namespace = "ns"
    own_address = "10.0.0.1"

    def make_job(self, body: dict[str, Any]) -> None:
        self._answer()
        name = body["metadata"]["name"]
        self.made[name] = body
        self.pods_left.add(name)
        if self.mute:
            self.mute -= 1
            raise AWAY

    def job(self, name: str, namespace: str) -> Any:
        self._answer()
        return self._job(name) if name in self.made else None

    def jobs(self, selector: str) -> list[Any]:
        self._answer()
        return [self._job(name) for name, body in self.made.items() if _has(body, selector)]

    def pods(self, selector: str, namespace: str) -> list[Any]:
        self._answer()
        wanted = selector.removeprefix(f"{manifest.PROCESS}=")
        return [self._pod(name) for name in self.pods_left if name == manifest.job_name(wanted)]

    def delete_job(self, name: str, namespace: str) -> None:
        self._answer()
        if self.deaf:
            self.deaf -= 1
            raise AWAY
        self.made.pop(name, None)
        if not self.lingering:
            self.pods_left.discard(name)

    def delete_pod(self, pod: Any, grace: int) -> None:
        self._answer()
        if grace == 0 or not self.lingering:
            self.pods_left.discard(pod.metadata.name)

    def _answer(self) -> None:
        self.asked += 1
        if self.faults:
            self.faults -= 1
            raise AWAY

    def _job(self, name: str) -> Any:
        metadata = SimpleNamespace(
            name=name, labels=self.made[name]["metadata"]["labels"], creation_timestamp=self._made_at()
        )
        return SimpleNamespace(metadata=metadata, status=SimpleNamespace(conditions=[]))

    def _made_at(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.age)

    def _pod(self, name: str) -> Any:
        states = [SimpleNamespace(state=SimpleNamespace(waiting=self.waits, terminated=None))] if self.waits else []
        return SimpleNamespace(
            metadata=SimpleNamespace(
                name=name, namespace="ns", creation_timestamp=self._made_at(), deletion_timestamp=None
            ),
            status=SimpleNamespace(
                phase=self.phase,
                container_statuses=states,
                conditions=[],
                pod_ip="10.1.1.1",
                reason=None,
                message=None,
            ),
        )


def _has(body: dict[str, Any], selector: str) -> bool:
    labels = body["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in (one.split("=") for one in selector.split(",")))
