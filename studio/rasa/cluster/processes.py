"""Rasa processes as Jobs: one for each process, deleted when what it made is here."""

import json
import os
import secrets
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from studio.rasa import keeper
from studio.rasa.cluster import manifest
from studio.rasa.cluster.desk import IN_POD, Desk, Guest, desk_of_this_process, write_report
from studio.rasa.cluster.sight import Sight, sight_of
from studio.rasa.local import facts_of, read_log, report_of, set_large_log_aside, status_of
from studio.rasa.process import TEMPORARY, Handle, LogChunk, Spec, StartFailed, Status, given_environment

log = structlog.get_logger()

_API_SECONDS = 15.0
_LOOK_SECONDS = 1.0  # between two questions to the cluster about one process
_POLL_SECONDS = 0.1
_PATIENCE = 45.0  # for Pods to be gone, beyond their grace
_NO_ANSWER = "Kubernetes does not answer"


@dataclass(frozen=True)
class Place:
    """Where Jobs are made, and how Pods find their way back. As the settings PARLEY_KUBERNETES_* say."""

    image: str = ""  # where a Spec names none
    namespace: str = ""  # that of the credentials when empty
    template: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""  # of this process, for Pods; found out when empty
    port: int = 0  # of the desk; 0 is any that is free
    owner: str = ""  # `name/uid` of the Pod that we run in
    installation: str = ""  # tells Jobs of two installations in one namespace apart
    context: str | None = None  # of the kubeconfig; its current one by default
    start_seconds: float = 900.0  # until a Pod must run


class KubernetesProcesses:
    """Implements studio.rasa.process.Processes."""

    interface = "0.0.0.0"  # noqa: S104  of the Pod, which nothing but the cluster's network reaches

    def __init__(self, place: Place, desk: Desk | None = None) -> None:
        self.place = place
        self._desk = desk or desk_of_this_process(place.port)
        self._seen: dict[str, tuple[float, Sight]] = {}
        self._ended: dict[str, dict[str, Any]] = {}  # the last report of what has ended
        self._waits: dict[str, str] = {}  # why it does not run yet, as it was told last

    # --- Processes ------------------------------------------------------------------------------------------------

    def start(self, spec: Spec) -> Handle:
        name = uuid.uuid4().hex[:20]
        handle = Handle(0, f"{self._namespace}/{manifest.job_name(name)}", str(spec.log), f"{name}@{spec.folder}")
        try:
            (spec.folder / TEMPORARY).mkdir(parents=True, exist_ok=True)
            set_large_log_aside(spec.log)
            spec.log.touch()
            report_of(spec.log).write_bytes(keeper.as_report({"mark": handle.mark}))
            guest = Guest(name, secrets.token_urlsafe(32), spec, _start_of(spec, handle.mark))
            port = self._desk.welcome(guest)
        except OSError as error:
            raise StartFailed(f"Rasa could not be started: {error.strerror}.") from error
        try:
            self._make_job(spec, manifest.Visit(name, f"http://{self._address}:{port}", guest.token))
        except (ApiException, HTTPError, ConfigException) as error:
            self._desk.dismiss(name)
            raise StartFailed(f"Kubernetes did not take the Job. {_words(error)}") from error
        except StartFailed:
            self._desk.dismiss(name)
            raise
        return handle

    def poll(self, handle: Handle) -> Status:
        facts = self._facts(handle)
        if facts.get("ended") or not _name_of(handle):
            return status_of(facts, running=False, code=facts.get("code"))
        sight = self._look(handle)
        if sight is None:  # the cluster does not answer: what runs there goes on
            return status_of(facts, running=True, code=None)
        if sight.is_waiting:
            self._tell(handle, sight.why)
            if sight.cannot_start or sight.waited > self.place.start_seconds:
                return self._give_up(handle, f"It did not start. {sight.why}".strip())
        if not sight.has_ended:
            return status_of(facts, running=True, code=None)
        return self._ended_without_a_word(handle, sight)

    def stop(self, handle: Handle, grace: float = 10.0) -> Status:
        if name := _name_of(handle):
            self._delete(handle, grace, wait=not self._ask_to_end(handle, grace))
            self._note_end(handle, self._facts(handle))
            self._desk.dismiss(name)
            self._seen.pop(name, None)
        facts = self._facts(handle)
        return status_of(facts, running=False, code=facts.get("code"))

    def read_log(self, handle: Handle, offset: int = 0, limit: int = 65536) -> LogChunk:
        ended = bool(self._facts(handle).get("ended"))
        return read_log(Path(handle.log), offset, limit, to_its_end=ended)

    def host(self, handle: Handle) -> str | None:
        sight = self._look(handle)
        return sight.host if sight is not None else None

    def left_below(self, parent: Path) -> set[str]:
        """By the labels of the Jobs, so also what workers left whose own disk is gone."""
        selector = f"{manifest.MANAGED_BY}=parley,{manifest.PLACE}={manifest.place_of(parent, self.place.installation)}"
        return {str(one.metadata.labels[manifest.FOLDER]) for one in self._jobs_with(selector)}

    def end_all_of(self, folder: Path) -> int:
        labels = manifest.labels_of(folder, self.place.installation)
        found = self._jobs_with(",".join(f"{key}={value}" for key, value in labels.items()))
        for job in found:
            self.stop(Handle(0, f"{self._namespace}/{job.metadata.name}", str(folder / "log")), grace=0)
        return len(found)

    # --- What it is now -------------------------------------------------------------------------------------------

    def _facts(self, handle: Handle) -> dict[str, Any]:
        """Its last report: as its guest brought it, else as it is on the disk, where another supervisor finds it."""
        name = _name_of(handle)
        guest = self._desk.guest(name)
        return self._ended.get(name) or (guest.facts if guest is not None else {}) or facts_of(handle)

    def _look(self, handle: Handle) -> Sight | None:
        """How the cluster sees it, at most a second old; None when the cluster does not answer."""
        name = _name_of(handle)
        looked, sight = self._seen.get(name, (0.0, None))
        if sight is not None and time.monotonic() - looked < _LOOK_SECONDS:
            return sight
        try:
            found = sight_of(self._job(handle), self._pods(handle))
        except (ApiException, HTTPError, ConfigException) as error:
            log.warning("Kubernetes does not answer", process=name, error=_words(error))
            return None
        self._seen[name] = (time.monotonic(), found)
        return found

    def _ended_without_a_word(self, handle: Handle, sight: Sight) -> Status:
        """The agent brings its last report before the Pod ends; one may be on its way. Else the cluster says why."""
        guest = self._desk.guest(_name_of(handle))
        if guest is not None and guest.ended.wait(_LOOK_SECONDS):
            return self.poll(handle)
        facts = {**self._facts(handle), **sight.last_words}
        if not sight.last_words:
            facts["why"] = sight.why
        self._note_end(handle, facts)
        return status_of(facts, running=False, code=facts.get("code"))

    def _give_up(self, handle: Handle, why: str) -> Status:
        self._note_end(handle, {**self._facts(handle), "why": why})
        return self.stop(handle, grace=0)

    def _tell(self, handle: Handle, why: str) -> None:
        """Why it waits, into its log: whoever looks at the training sees it there."""
        name = _name_of(handle)
        if why and self._waits.get(name) != why:
            self._waits[name] = why
            with suppress(OSError), Path(handle.log).open("a") as file:
                file.write(f"Kubernetes: {why}\n")

    def _note_end(self, handle: Handle, facts: Mapping[str, Any]) -> None:
        if _name_of(handle) not in self._ended:
            whole = {**facts, "mark": handle.mark, "memory": None, "ended": True}
            self._ended[_name_of(handle)] = whole
            write_report(Path(handle.log), whole)

    def _ask_to_end(self, handle: Handle, grace: float) -> bool:
        """Whether its agent has said that nothing of it is left."""
        guest = self._desk.guest(_name_of(handle))
        if guest is None or not guest.arrived:
            return False
        guest.stop = grace
        until = time.monotonic() + grace + _PATIENCE
        while time.monotonic() < until and not guest.ended.wait(_POLL_SECONDS):
            if not self.poll(handle).running:
                break
        return guest.ended.is_set()

    # --- The cluster ----------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> Any:
        """Of the Pod that we run in, else of the kubeconfig. Raises ConfigException."""
        made = client.Configuration()
        try:
            config.load_incluster_config(made)
        except ConfigException:
            file = os.environ.get("KUBECONFIG")  # the client looks only once, when it is imported
            config.load_kube_config(file, context=self.place.context, client_configuration=made)
        made.retries = 1
        return client.ApiClient(made)

    @cached_property
    def _namespace(self) -> str:
        own = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return self.place.namespace or (own.read_text().strip() if own.exists() else "default")

    @cached_property
    def _address(self) -> str:
        """Of this machine or Pod, as seen on the way to the cluster."""
        if self.place.address:
            return self.place.address
        server = urlsplit(self._client.configuration.host)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((server.hostname, server.port or 443))
            return str(probe.getsockname()[0])

    def _make_job(self, spec: Spec, visit: manifest.Visit) -> None:
        """Raises StartFailed, and what the client raises."""
        image = spec.image or self.place.image
        if not image:
            raise StartFailed("No image is named for this Rasa: PARLEY_RASA_IMAGES says which there are.")
        body = manifest.job(
            spec,
            visit,
            namespace=self._namespace,
            image=image,
            template=self.place.template,
            installation=self.place.installation,
            owner=self.place.owner,
        )
        self._batch.create_namespaced_job(self._namespace, body, _request_timeout=_API_SECONDS)

    @property
    def _batch(self) -> Any:
        return client.BatchV1Api(self._client)

    @property
    def _core(self) -> Any:
        return client.CoreV1Api(self._client)

    def _job(self, handle: Handle) -> Any:
        namespace, _, job = handle.born.partition("/")
        try:
            return self._batch.read_namespaced_job(job, namespace, _request_timeout=_API_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _pods(self, handle: Handle) -> list[Any]:
        namespace = handle.born.partition("/")[0]
        selector = f"{manifest.PROCESS}={_name_of(handle)}"
        found = self._core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=_API_SECONDS)
        return list(found.items)

    def _jobs_with(self, selector: str) -> list[Any]:
        """Empty when the cluster does not answer: who sweeps comes again."""
        try:
            found = self._batch.list_namespaced_job(
                self._namespace, label_selector=selector, _request_timeout=_API_SECONDS
            )
        except (ApiException, HTTPError, ConfigException) as error:
            log.warning("Kubernetes does not answer", error=_words(error))
            return []
        return list(found.items)

    def _delete(self, handle: Handle, grace: float, *, wait: bool) -> None:
        """The Job and its Pod. When the cluster does not answer, the agent, which finds no desk, and the Job's time
        to live end it."""
        until = time.monotonic() + grace + _PATIENCE
        while time.monotonic() < until:
            try:
                if wait and self._job(handle) is None and not self._delete_pods(handle, grace):
                    return
                self._delete_job(handle)
                if not wait:
                    return
            except (ApiException, HTTPError, ConfigException) as error:
                log.warning("Job not deleted yet", job=handle.born, error=_words(error))
            time.sleep(_POLL_SECONDS)
        log.warning("Job left behind", job=handle.born)

    def _delete_job(self, handle: Handle) -> None:
        namespace, _, job = handle.born.partition("/")
        body = client.V1DeleteOptions(propagation_policy="Background")
        with suppress_missing():
            self._batch.delete_namespaced_job(job, namespace, body=body, _request_timeout=_API_SECONDS)

    def _delete_pods(self, handle: Handle, grace: float) -> int:
        """Ask for it; how many there still are."""
        pods = self._pods(handle)
        for pod in pods:
            with suppress_missing():
                self._core.delete_namespaced_pod(
                    pod.metadata.name,
                    pod.metadata.namespace,
                    grace_period_seconds=max(1, round(grace)),
                    _request_timeout=_API_SECONDS,
                )
        return len(pods)


class suppress_missing:  # noqa: N801  used as contextlib.suppress is
    """What is to be deleted is gone."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> bool:
        return isinstance(error, ApiException) and error.status == 404


def _start_of(spec: Spec, mark: str) -> dict[str, Any]:
    home = Path("/", IN_POD, "home")
    options = {
        "mark": mark,
        "folder": str(spec.folder),
        "limits": spec.limits.as_json(),
        "low_priority": spec.low_priority,
    }
    environment = {"USER": "rasa", **given_environment(spec, home, mark)}
    return {
        "mark": mark,
        "folder": str(spec.folder),
        "arguments": list(spec.arguments),
        "environment": environment,
        "options": options,
        "grace": manifest.GRACE_SECONDS - 10,
    }


def _name_of(handle: Handle) -> str:
    """The process's name within the cluster; empty when this is no handle of a Job."""
    _, slash, job = handle.born.partition("/")
    return job.removeprefix(manifest.job_name("")) if slash else ""


def _words(error: Exception) -> str:
    """What the cluster says, in one line."""
    if isinstance(error, ApiException):
        try:
            return str(json.loads(error.body)["message"])[:500]
        except (TypeError, ValueError, KeyError):
            return f"{error.status}: {error.reason}"
    return f"{_NO_ANSWER}: {error}"[:300]
