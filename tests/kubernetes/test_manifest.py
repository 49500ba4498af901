"""What a Job looks like, and how its Pod's state is told: without a cluster."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.rasa.cluster.desk import Guest, roots
from studio.rasa.cluster.manifest import SPARE_DISK, SPARE_MEMORY, Visit, job, labels_of, merged
from studio.rasa.cluster.sight import sight_of
from studio.rasa.process import Limits, Spec

VISIT = Visit("abc", "http://10.0.0.1:8790", "token")
LIMITS = Limits(memory=1000, disk=2000, processes=3)


def made(template: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    spec = Spec(("train",), Path("/data/jobs/1-1"), Path("/data/jobs/1-1/log"), limits=LIMITS, seconds=60.5)
    return job(spec, VISIT, namespace="ns", image="rasa:1", template=template or {}, **options)


def container_of(body: dict[str, Any]) -> dict[str, Any]:
    [container] = body["spec"]["template"]["spec"]["containers"]
    return container


def test_limits_are_those_of_the_cluster_too_a_little_wider() -> None:
    body = made()
    assert body["spec"]["activeDeadlineSeconds"] == 60
    assert made(start_seconds=900)["spec"]["activeDeadlineSeconds"] == 960  # the cluster's queue is none of its time
    assert container_of(body)["resources"]["limits"] == {"memory": str(1000 + SPARE_MEMORY)}
    assert body["spec"]["template"]["spec"]["volumes"] == [
        {"name": "parley-work", "emptyDir": {"sizeLimit": str(2000 + SPARE_DISK)}}
    ]


def test_it_runs_without_rights_and_sees_its_folders_where_they_are_here() -> None:
    body = made()
    pod, container = body["spec"]["template"]["spec"], container_of(body)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "/data/jobs/1-1" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_a_template_goes_over_what_is_usual_and_not_over_what_is_ours() -> None:
    body = made(
        {
            "metadata": {"labels": {"team": "a"}},
            "spec": {
                "nodeSelector": {"pool": "gpu"},
                "restartPolicy": "Always",
                "containers": [
                    {"name": "rasa", "image": "mine", "resources": {"limits": {"cpu": "2"}}, "env": [{"name": "A"}]},
                    {"name": "beside", "image": "other"},
                ],
            },
        }
    )
    pod = body["spec"]["template"]["spec"]
    rasa, beside = pod["containers"]
    assert (pod["nodeSelector"], pod["restartPolicy"]) == ({"pool": "gpu"}, "Never")
    assert (rasa["image"], beside["image"]) == ("rasa:1", "other")
    assert rasa["resources"]["limits"] == {"cpu": "2", "memory": str(1000 + SPARE_MEMORY)}
    assert [one["name"] for one in rasa["env"]][:2] == ["A", "PARLEY_DESK"]
    assert body["spec"]["template"]["metadata"]["labels"]["team"] == "a"


def test_a_template_serves_many_jobs() -> None:
    template = {"spec": {"volumes": [{"name": "v"}], "containers": [{"name": "rasa", "env": [{"name": "A"}]}]}}
    assert made(template) == made(template)


def test_lists_are_joined_and_what_has_the_same_name_is_merged() -> None:
    assert merged([1], [2]) == [1, 2]
    assert merged([{"name": "a", "x": 1}], [{"name": "a", "y": 2}, {"name": "b"}]) == [
        {"name": "a", "x": 1, "y": 2},
        {"name": "b"},
    ]


def test_two_installations_of_one_namespace_do_not_find_each_others_jobs() -> None:
    folder = Path("/data/jobs/1-1")
    assert labels_of(folder, "one")["parley/place"] != labels_of(folder, "two")["parley/place"]


def test_a_job_goes_with_the_pod_that_made_it() -> None:
    [owner] = made(owner="worker-1/uid-1")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", "worker-1", "uid-1")


def test_a_folder_within_another_is_brought_once() -> None:
    spec = Spec((), Path("/a/b"), Path("/log"), python_path=(Path("/a/b/code"), Path("/c")))
    assert roots(spec) == [Path("/a/b"), Path("/c")]


# --- What a Pod brings --------------------------------------------------------------------------------------------


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    (tmp_path / "work").mkdir()
    return Guest("abc", "token", Spec((), tmp_path / "work", tmp_path / "work" / "log"), {"mark": "m"})


@pytest.mark.parametrize("name", ["../out", "a/../../out", "log", "log.state", "/etc/passwd"])
def test_a_result_stays_in_its_folder_and_off_our_own_files(guest: Guest, name: str) -> None:
    assert guest.path_of(name) is None


def test_a_result_does_not_follow_a_link(guest: Guest, tmp_path: Path) -> None:
    (guest.spec.folder / "link").symlink_to(tmp_path)
    assert guest.path_of("link/file") is None
    assert guest.path_of("models/new.tar.gz") == guest.spec.folder / "models" / "new.tar.gz"


def test_a_piece_of_log_that_comes_twice_is_written_once(guest: Guest) -> None:
    guest.take_log(b"one\n", 0)
    guest.take_log(b"one\ntwo\n", 0)
    guest.take_log(b"three\n", 8)
    assert guest.spec.log.read_text() == "one\ntwo\nthree\n"


# --- How the cluster sees it --------------------------------------------------------------------------------------


def pod(phase: str, *, state: Any = None, conditions: Any = (), age: float = 0.0, **status: Any) -> Any:
    statuses = [SimpleNamespace(state=state)] if state is not None else []
    return SimpleNamespace(
        metadata=SimpleNamespace(
            creation_timestamp=datetime.now(UTC) - timedelta(seconds=age), deletion_timestamp=None
        ),
        status=SimpleNamespace(
            phase=phase,
            container_statuses=statuses,
            conditions=list(conditions),
            pod_ip="10.1.1.1",
            **{"reason": None, "message": None, **status},
        ),
    )


def waiting(reason: str, message: str) -> Any:
    return SimpleNamespace(waiting=SimpleNamespace(reason=reason, message=message), terminated=None)


def terminated(reason: str, code: int, message: str = "") -> Any:
    return SimpleNamespace(waiting=None, terminated=SimpleNamespace(reason=reason, exit_code=code, message=message))


JOB = SimpleNamespace(
    metadata=SimpleNamespace(creation_timestamp=datetime.now(UTC)), status=SimpleNamespace(conditions=[])
)


def test_a_pod_that_waits_for_a_node_is_told_why() -> None:
    condition = SimpleNamespace(type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes")
    sight = sight_of(JOB, [pod("Pending", conditions=[condition])])
    assert (sight.is_waiting, sight.cannot_start) == (True, False)
    assert sight.why == "It waits for a node (Unschedulable): 0/3 nodes"


@pytest.mark.parametrize(
    ("reason", "seconds", "cannot"),
    [("ErrImagePull", 5, False), ("ErrImagePull", 500, True), ("InvalidImageName", 1, True)],
)
def test_an_image_that_is_not_there_is_given_up_a_while_after_it_has_a_node(
    reason: str, seconds: float, cannot: bool
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    scheduled = SimpleNamespace(type="PodScheduled", status="True", last_transition_time=since)
    queued = pod("Pending", state=waiting(reason, "no such image"), age=600, conditions=[scheduled])
    sight = sight_of(JOB, [queued])
    assert (sight.cannot_start, sight.has_ended) == (cannot, False)
    assert "no such image" in sight.why


def test_what_it_waited_for_its_pod_counts_too() -> None:
    job = SimpleNamespace(metadata=SimpleNamespace(creation_timestamp=datetime.now(UTC) - timedelta(seconds=600)))
    assert sight_of(job, [pod("Pending", age=5)]).waited >= 600


def test_the_last_words_of_a_pod_are_its_report() -> None:
    sight = sight_of(JOB, [pod("Failed", state=terminated("Error", 137, '{"code": -9, "over": ["memory", 2, 1]}'))])
    assert sight.has_ended
    assert sight.last_words["over"] == ["memory", 2, 1]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod("Failed", state=terminated("OOMKilled", 137)), "ran out of memory"),
        (pod("Failed", reason="Evicted", message="The node was low on resource"), "Evicted"),
        (pod("Failed", state=terminated("Error", 1)), "code 1 without a report"),
    ],
)
def test_an_end_without_a_report_is_told_by_the_cluster(found: Any, why: str) -> None:
    assert why in sight_of(JOB, [found]).why


def test_a_job_that_was_deleted_has_ended() -> None:
    assert sight_of(None, []).has_ended


def test_a_job_without_a_pod_has_not_begun() -> None:
    assert sight_of(JOB, []).is_waiting
