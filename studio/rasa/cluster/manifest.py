"""The Job of one Rasa process, as Kubernetes reads it.

A team's own pod template (PARLEY_KUBERNETES_TEMPLATE) goes over what is usual here: nodes, tolerations, pull secrets,
requests, volumes. What makes the process ours comes last and cannot be changed by it.
"""

import hashlib
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.rasa.cluster.desk import IN_POD, roots
from studio.rasa.process import Limits, Spec

MANAGED_BY = "app.kubernetes.io/managed-by"
PROCESS, PLACE, FOLDER = "parley/process", "parley/place", "parley/folder"  # labels by which Jobs are found again
CONTAINER, VOLUME = "rasa", "parley-work"
KEPT_SECONDS = 600  # a Job that ended and was not deleted by who started it
SPARE_MEMORY = 256 * 1024**2  # beyond the limit, which the keeper holds and can explain
SPARE_DISK = 1024**3  # the log on its way, caches of Rasa
USER = 10001
GRACE_SECONDS = 30
SERVER = "run"  # the command of a slot and of a managed server, for which people set no limits
# A light model takes 575 MB, one with DIET and TED 1.1 GB; to the scheduler one without a request would take nothing.
SERVER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "100m", "memory": "1Gi"}}

# Fetch the bundle and go on with the agent in it. The desk may be a moment away when the network is made anew.
BOOTSTRAP = f"""
import os, sys, tarfile, time, urllib.error, urllib.request
asked = urllib.request.Request(os.environ["PARLEY_DESK"], headers={{"Authorization": "Bearer " + os.environ["PARLEY_DESK_TOKEN"]}})
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
until = time.monotonic() + 60
while True:
    try:
        answer = opener.open(asked, timeout=60)
        break
    except urllib.error.HTTPError as error:
        sys.exit("Nobody wants this process any more: the desk answered %s." % error.code)
    except OSError as error:
        if time.monotonic() > until:
            sys.exit("The desk of Parley at %s cannot be reached: %s." % (asked.host, error))
        time.sleep(1)
with answer, tarfile.open(fileobj=answer, mode="r|") as bundle:
    bundle.extractall("/")
sys.path.insert(0, "/{IN_POD}")
from studio.rasa.cluster.agent import main
main()
"""  # noqa: E501


@dataclass(frozen=True)
class Visit:
    """How the Pod of one process finds the desk."""

    name: str
    url: str
    token: str


def job(
    spec: Spec,
    visit: Visit,
    *,
    namespace: str,
    image: str,
    template: Mapping[str, Any],
    installation: str = "",
    owner: str = "",
    start_seconds: float = 0.0,
    server_resources: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`owner`: `name/uid` of the Pod that starts it; Kubernetes deletes the Job when that is deleted. `start_seconds`:
    how long it may wait in the cluster's queue, which is none of its own time."""
    labels = {**labels_of(spec.folder, installation), PROCESS: visit.name}
    is_server = spec.arguments[:1] == (SERVER,)
    resources = (server_resources or SERVER_RESOURCES) if is_server else _resources(spec.limits)
    pod = merged(
        {"metadata": {"labels": labels}, "spec": _usual(resources)},
        deepcopy(dict(template)),
    )
    _make_ours(pod["spec"], spec, visit, image)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(visit.name),
            "namespace": namespace,
            "labels": labels,
            "annotations": {"parley/folder": str(spec.folder), "parley/arguments": " ".join(spec.arguments)[:1000]},
            **({"ownerReferences": [_owner(owner)]} if owner else {}),
        },
        "spec": {
            "backoffLimit": 0,  # who started it decides whether there is another attempt
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            **({"activeDeadlineSeconds": max(1, int(spec.seconds + start_seconds))} if spec.seconds else {}),
            "template": pod,
        },
    }


def job_name(process: str) -> str:
    return f"rasa-{process}"


def labels_of(folder: Path, installation: str) -> dict[str, str]:
    """By these the Jobs of a folder are found; two installations may share a namespace."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", folder.name)[:63].strip("._-")
    return {MANAGED_BY: "parley", PLACE: place_of(folder.parent, installation), FOLDER: name}


def place_of(parent: Path, installation: str) -> str:
    return hashlib.sha256(f"{installation} {parent.absolute()}".encode()).hexdigest()[:20]


def merged(base: Any, over: Any) -> Any:
    """`over` goes over `base`: maps key by key, lists one after the other, containers by their name."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {key: merged(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    if isinstance(base, list) and isinstance(over, list):
        return _merged_lists(base, over)
    return base if over is None else over


def _merged_lists(base: list[Any], over: list[Any]) -> list[Any]:
    known = {_name(one): one for one in over if _name(one)}
    both = {_name(one) for one in base} & known.keys()
    first = [merged(one, known[_name(one)]) if _name(one) in both else one for one in base]
    return [*first, *(one for one in over if _name(one) not in both)]


def _name(one: Any) -> str:
    return str(one.get("name", "")) if isinstance(one, Mapping) else ""


def _usual(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": CONTAINER,
                "resources": deepcopy(dict(resources)),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def _resources(limits: Limits) -> dict[str, Any]:
    if limits.memory is None:
        return {}
    return {"limits": {"memory": str(limits.memory + SPARE_MEMORY)}, "requests": {"memory": str(limits.memory // 2)}}


def _make_ours(pod: dict[str, Any], spec: Spec, visit: Visit, image: str) -> None:
    container = next(one for one in pod["containers"] if one["name"] == CONTAINER)
    container.update(image=image, command=["python", "-c", BOOTSTRAP])
    container.setdefault("env", []).extend(
        [
            {"name": "PARLEY_DESK", "value": f"{visit.url}/{visit.name}"},
            {"name": "PARLEY_DESK_TOKEN", "value": visit.token},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
        ]
    )
    container.setdefault("volumeMounts", []).extend(_mounts(spec))
    size = {} if spec.limits.disk is None else {"sizeLimit": str(spec.limits.disk + SPARE_DISK)}
    pod.setdefault("volumes", []).append({"name": VOLUME, "emptyDir": size})
    # No service account's token: code of an assistant has no business with the cluster.
    pod.update(restartPolicy="Never", automountServiceAccountToken=False, enableServiceLinks=False)


def _mounts(spec: Spec) -> list[dict[str, str]]:
    """One volume, seen at every place where the process expects something of its own."""
    places = [f"/{IN_POD}", "/tmp", *(str(root) for root in roots(spec))]  # noqa: S108  of the Pod
    return [{"name": VOLUME, "mountPath": place, "subPath": f"at{number}"} for number, place in enumerate(places)]


def _owner(owner: str) -> dict[str, Any]:
    name, _, uid = owner.partition("/")
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
