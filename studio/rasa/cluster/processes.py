"""Rasa processes as Jobs: one for each process, deleted when what it made is here."""

import secrets
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from studio.rasa import keeper
from studio.rasa.cluster import manifest
from studio.rasa.cluster.api import Api, NoAnswer
from studio.rasa.cluster.desk import IN_POD, Desk, Guest, desk_of_this_process, write_report
from studio.rasa.cluster.sight import Sight, sight_of
from studio.rasa.local import facts_of, read_log, report_of, set_large_log_aside, status_of
from studio.rasa.process import TEMPORARY, Handle, LogChunk, Spec, StartFailed, Status, given_environment
from studio.web.formats import duration

log = structlog.get_logger()

_LOOK_SECONDS = 1.0  # between two questions to the cluster about one process
_AWAY_SECONDS = 15.0  # a cluster that did not answer is not asked: each question would hold up who follows a process
_POLL_SECONDS = 0.1
_SILENT_SECONDS = 90.0  # its agent gives up after 60 without us, so it does not run on elsewhere
_TOLD_SECONDS = 30.0  # a Pod that waits for longer says why in its log
_SILENT = (
    "Nothing was heard of its Pod for 90 seconds: its node is lost, the network between is broken, or the Pod hangs."
)
_PATIENCE = 45.0  # for Pods to be gone, beyond their grace
_AGAIN_SECONDS = 10.0  # for a Job whose Pod has ended to be deleted; then that is left to who sweeps


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
    server_resources: Mapping[str, Any] = field(default_factory=dict)  # requests and limits of slots and servers


class KubernetesProcesses:
    """Implements studio.rasa.process.Processes."""

    interface = "0.0.0.0"  # noqa: S104  of the Pod, which nothing but the cluster's network reaches

    def __init__(self, place: Place, desk: Desk | None = None, api: Api | None = None) -> None:
        self.place = place
        self._desk = desk or desk_of_this_process(place.port)
        self._api = api or Api(place.namespace, place.context)
        self._away_until = 0.0  # the cluster is not asked before
        self._seen: dict[str, tuple[float, Sight]] = {}
        self._ended: dict[str, dict[str, Any]] = {}  # the last report of what has ended
        self._waits: dict[str, str] = {}  # why it does not run yet, as it was told last
        self._lost: set[str] = set()  # of which nothing was heard any more

    # --- Processes ------------------------------------------------------------------------------------------------

    def start(self, spec: Spec) -> Handle:
        name = uuid.uuid4().hex[:20]
        handle = Handle(0, f"{self._api.namespace}/{manifest.job_name(name)}", str(spec.log), f"{name}@{spec.folder}")
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
            address = self.place.address or self._api.own_address
            self._make_job(spec, manifest.Visit(name, f"http://{address}:{port}", guest.token))
        except NoAnswer as error:
            self._desk.dismiss(name)
            with suppress(NoAnswer):  # it may have taken it, and only its answer did not come
                self._delete_job(handle)
            raise StartFailed(f"Kubernetes did not take the Job. {error.message}") from error
        except StartFailed:
            self._desk.dismiss(name)
            raise
        return handle

    def poll(self, handle: Handle) -> Status:
        facts = self._facts(handle)
        if facts.get("ended") or not _name_of(handle):
            return status_of(facts, running=False, code=facts.get("code"))
        guest = self._desk.guest(_name_of(handle))
        if guest is not None and guest.silence() > _SILENT_SECONDS:
            return self._lose(handle)
        sight = self._look(handle)
        if sight is not None and sight.has_ended:
            return self._ended_without_a_word(handle, sight)
        if _is_waiting(guest, sight):
            return self._wait(handle, sight or Sight(waited=_waited(guest), why="Kubernetes does not answer."))
        return status_of(facts, running=True, code=None)  # also while the cluster does not answer

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

    def left_below(self, parent: Path) -> set[str] | None:
        """By the labels of the Jobs, so also what workers left whose own disk is gone."""
        selector = f"{manifest.MANAGED_BY}=parley,{manifest.PLACE}={manifest.place_of(parent, self.place.installation)}"
        found = self._jobs_with(selector)
        return None if found is None else {str(one.metadata.labels[manifest.FOLDER]) for one in found}

    def end_all_of(self, folder: Path) -> int:
        labels = manifest.labels_of(folder, self.place.installation)
        found = self._jobs_with(",".join(f"{key}={value}" for key, value in labels.items())) or []
        for job in found:
            self.stop(Handle(0, f"{self._api.namespace}/{job.metadata.name}", str(folder / "log")), grace=0)
        return len(found)

    # --- What it is now -------------------------------------------------------------------------------------------

    def _facts(self, handle: Handle) -> dict[str, Any]:
        """Its last report: as its guest brought it, else as it is on the disk, where another supervisor finds it."""
        name = _name_of(handle)
        if name in self._ended:
            return self._ended[name]
        guest = self._desk.guest(name)
        return guest.with_limit(guest.facts or facts_of(handle)) if guest is not None else facts_of(handle)

    def _look(self, handle: Handle) -> Sight | None:
        """How the cluster sees it, at most a second old; None when the cluster does not answer."""
        name = _name_of(handle)
        looked, sight = self._seen.get(name, (0.0, None))
        if sight is not None and time.monotonic() - looked < _LOOK_SECONDS:
            return sight
        if self._is_away():
            return None
        try:
            found = sight_of(self._job(handle), self._pods(handle))
        except NoAnswer as error:
            self._note_away(error)
            return None
        self._seen[name] = (time.monotonic(), found)
        return found

    def _ended_without_a_word(self, handle: Handle, sight: Sight) -> Status:
        """The agent brings its last report before the Pod ends; one may be on its way. Else the cluster says why."""
        guest = self._desk.guest(_name_of(handle))
        if guest is not None and guest.ended.wait(_LOOK_SECONDS):
            return self.poll(handle)
        facts = {**self._facts(handle), **sight.last_words}
        facts = facts if guest is None else guest.with_limit(facts)
        if not sight.last_words:
            facts["why"] = sight.why
        self._note_end(handle, facts)
        return status_of(facts, running=False, code=facts.get("code"))

    def _lose(self, handle: Handle) -> Status:
        """Its node may be gone for good: nobody there says that the Pod has ended."""
        self._lost.add(_name_of(handle))
        return self._end_with(handle, _SILENT)

    def _wait(self, handle: Handle, sight: Sight) -> Status:
        longest = self.place.start_seconds
        if sight.cannot_start or sight.waited > _TOLD_SECONDS:
            self._tell(handle, sight.why)
        if sight.cannot_start:
            return self._end_with(handle, f"It did not start. {sight.why}")
        if sight.waited > longest:
            return self._end_with(handle, f"It did not start within {duration(longest)}. {sight.why}")
        return Status(running=True, is_waiting=True, why=sight.why)

    def _end_with(self, handle: Handle, why: str) -> Status:
        """Whoever follows it stops it now, and that deletes what there is of it."""
        facts = {**self._facts(handle), "why": why}
        self._note_end(handle, facts)
        return status_of(facts, running=False, code=None)

    def _tell(self, handle: Handle, why: str) -> None:
        """Why it waits, into its log: whoever looks at the training sees it there."""
        name = _name_of(handle)
        if self._waits.get(name) != why:
            self._waits[name] = why
            with suppress(OSError), Path(handle.log).open("a") as file:
                file.write(f"Kubernetes: {why}\n")

    def _note_end(self, handle: Handle, facts: Mapping[str, Any]) -> None:
        if _name_of(handle) not in self._ended:
            whole = {**facts, "mark": handle.mark, "memory": None, "ended": True}
            self._ended[_name_of(handle)] = whole
            if facts_of(handle):  # else the log is that of a later process by now
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

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _note_away(self, error: NoAnswer) -> None:
        self._away_until = time.monotonic() + _AWAY_SECONDS
        log.warning("Kubernetes does not answer", error=error.message)

    def _make_job(self, spec: Spec, visit: manifest.Visit) -> None:
        """Raises StartFailed, NoAnswer."""
        image = spec.image or self.place.image
        if not image:
            raise StartFailed("No image is named for this Rasa: PARLEY_RASA_IMAGES says which there are.")
        body = manifest.job(
            spec,
            visit,
            namespace=self._api.namespace,
            image=image,
            template=self.place.template,
            installation=self.place.installation,
            owner=self.place.owner,
            start_seconds=self.place.start_seconds,
            server_resources=self.place.server_resources,
        )
        self._api.make_job(body)

    def _job(self, handle: Handle) -> Any:
        namespace, _, job = handle.born.partition("/")
        return self._api.job(job, namespace)

    def _pods(self, handle: Handle) -> list[Any]:
        return self._api.pods(f"{manifest.PROCESS}={_name_of(handle)}", handle.born.partition("/")[0])

    def _jobs_with(self, selector: str) -> list[Any] | None:
        """None when the cluster does not answer."""
        if self._is_away():
            return None
        try:
            return self._api.jobs(selector)
        except NoAnswer as error:
            self._note_away(error)
            return None

    def _delete(self, handle: Handle, grace: float, *, wait: bool) -> None:
        """The Job and, when it is to `wait`, its Pod. When the cluster does not answer, the agent, which finds no desk,
        who sweeps, and the Job's time to live end it."""
        until = time.monotonic() + (grace + _PATIENCE if wait else _AGAIN_SECONDS)
        while time.monotonic() < until:
            try:
                if wait and self._job(handle) is None and not self._delete_pods(handle, grace):
                    return
                self._delete_job(handle)
                if not wait:
                    return
            except NoAnswer as error:
                log.warning("Job not deleted yet", job=handle.born, error=error.message)
            time.sleep(_POLL_SECONDS)
        log.warning("Job left behind", job=handle.born)

    def _delete_job(self, handle: Handle) -> None:
        namespace, _, job = handle.born.partition("/")
        self._api.delete_job(job, namespace)

    def _delete_pods(self, handle: Handle, grace: float) -> int:
        """Ask for it; how many there still are."""
        pods = self._pods(handle)
        for pod in pods:
            self._api.delete_pod(pod, 0 if _name_of(handle) in self._lost else max(1, round(grace)))
        return len(pods)


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


def _is_waiting(guest: Guest | None, sight: Sight | None) -> bool:
    """Whether its container does not run yet, as far as one knows."""
    if guest is not None and guest.arrived:
        return False
    return sight.is_waiting if sight is not None else guest is not None


def _waited(guest: Guest | None) -> float:
    return 0.0 if guest is None else time.monotonic() - guest.made


def _name_of(handle: Handle) -> str:
    """The process's name within the cluster; empty when this is no handle of a Job."""
    _, slash, job = handle.born.partition("/")
    return job.removeprefix(manifest.job_name("")) if slash else ""
