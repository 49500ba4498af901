"""How the cluster sees one process: what its Job and its Pod say."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# Reasons of a container that waits; trying again does not help until somebody mends the image's name or the template.
NEVER_STARTS = frozenset(
    {"InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull"}
)
# The registry may be away for a moment; the kubelet goes on trying.
NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff"})
IMAGE_SECONDS = 120.0
OUT_OF_MEMORY = "OOMKilled"
NO_POD = "It waits for the cluster to make its Pod: a quota may forbid it."
IN_THE_MAKING = "It waits for its image to be fetched and its container to be made."


@dataclass(frozen=True)
class Sight:
    is_waiting: bool = False  # its container does not run yet
    has_ended: bool = False
    cannot_start: bool = False
    waited: float = 0.0  # seconds since its Job was made
    why: str = ""  # a sentence: why it waits, or how it ended
    host: str | None = None
    last_words: dict[str, Any] = field(default_factory=dict)  # the agent's report, as Kubernetes kept it


def sight_of(job: Any, pods: list[Any]) -> Sight:
    """`job` is None when it is gone."""
    if job is None and not pods:
        return Sight(has_ended=True, why="It was deleted in the cluster.")
    if not pods:
        return _without_pod(job)
    pod = max(pods, key=lambda one: one.metadata.creation_timestamp)
    if pod.status.phase == "Pending" and pod.metadata.deletion_timestamp is None:
        return _pending(pod, job)
    if pod.status.phase in ("Succeeded", "Failed"):
        return _ended(pod, job)
    return Sight(host=pod.status.pod_ip)


def _without_pod(job: Any) -> Sight:
    failed = [one for one in job.status.conditions or [] if one.type == "Failed" and one.status == "True"]
    if failed:
        return Sight(has_ended=True, why=_sentence("The cluster ended it", failed[0].reason, failed[0].message))
    return Sight(is_waiting=True, waited=_age(job), why=NO_POD)


def _pending(pod: Any, job: Any) -> Sight:
    waiting = [one.state.waiting for one in pod.status.container_statuses or [] if one.state and one.state.waiting]
    waited = _age(pod if job is None else job)  # as long as the Job's own deadline runs
    if waiting and waiting[0].reason in NEVER_STARTS | NO_IMAGE:
        cannot = waiting[0].reason in NEVER_STARTS or _since_node(pod) > IMAGE_SECONDS
        return Sight(
            is_waiting=True,
            cannot_start=cannot,
            waited=waited,
            why=_sentence("Its container cannot be made", waiting[0].reason, waiting[0].message),
        )
    for one in pod.status.conditions or []:
        if one.type == "PodScheduled" and one.status == "False":
            return Sight(is_waiting=True, waited=waited, why=_sentence("It waits for a node", one.reason, one.message))
    return Sight(is_waiting=True, waited=waited, why=IN_THE_MAKING)


def _since_node(pod: Any) -> float:
    """Seconds since it has a node, which fetches its image; the queue before that is none of them."""
    for one in pod.status.conditions or []:
        if one.type == "PodScheduled" and one.status == "True" and one.last_transition_time is not None:
            return _seconds_since(one.last_transition_time)
    return _age(pod)


def _ended(pod: Any, job: Any) -> Sight:
    states = [one.state.terminated for one in pod.status.container_statuses or [] if one.state and one.state.terminated]
    if states and (words := _report(states[0].message)):
        return Sight(has_ended=True, last_words=words)
    if states and states[0].reason == OUT_OF_MEMORY:
        return Sight(has_ended=True, why="The cluster ended it, because its container ran out of memory.")
    if pod.status.reason:
        return Sight(has_ended=True, why=_sentence("The cluster ended it", pod.status.reason, pod.status.message))
    if states:
        return Sight(has_ended=True, why=f"Its container ended with code {states[0].exit_code} without a report.")
    return _without_pod(job) if job is not None else Sight(has_ended=True, why="Its Pod has failed.")


def _report(message: str | None) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(message or "")
    except ValueError:
        return {}
    return found


def _sentence(what: str, reason: str | None, message: str | None) -> str:
    return f"{what} ({reason}): {message}" if message else f"{what} ({reason})."


def _age(thing: Any) -> float:
    return _seconds_since(thing.metadata.creation_timestamp)


def _seconds_since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()
