"""One attempt of one training: prepare a folder, run `rasa train` in it, follow it, keep the model."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from models_app.models import Model, TrainingJob
from models_app.services import revisions, training
from models_app.services.models import add_model, delete_model
from models_app.training.output import Progress, failure_message
from models_app.training.project import NotTrainable, Project, read_project
from studio.errors import DomainError
from studio.jobs.heartbeat import process_name
from studio.rasa.commands import train_arguments
from studio.rasa.local import LocalProcesses
from studio.rasa.process import Handle, Processes, Spec, StartFailed, Status
from studio.rasa.runtime import Runtime
from studio.rasa.services import find_runtime

log = structlog.get_logger()

LOOK_SECONDS = 0.5
BEAT_SECONDS = 2.0
LOG_KEPT = 2 * 1024**2  # characters of output kept from the start; the end is kept whatever comes between
LOG_TAIL = 64 * 1024


class Cancelled(Exception):
    """Somebody asked for the training to end."""


class TrainingFailed(Exception):
    """The training ended without a model; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def run_training(job_id: int) -> None:
    """Run the job if it still waits; every way it can end is written to its row."""
    runtime = find_runtime()
    if runtime is None:
        return  # stays queued; the schedule queues it again, and by then the runtime may be there
    job = training.claim(job_id, worker=process_name(), rasa_version=runtime.version)
    if job is None:
        return
    folder = settings.JOBS_DIR / f"{job.pk}-{job.attempt}"
    try:
        _attempt(job, runtime, folder)
    except training.Superseded:
        log.warning("training superseded", job=job.pk, attempt=job.attempt)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(job: TrainingJob, runtime: Runtime, folder: Path) -> None:
    try:
        project = _prepare(job, folder)
        archive = Attempt(job, LocalProcesses(runtime.python, settings.JOBS_DIR / "home"), folder, project).run()
        training.advance(job, TrainingJob.State.PACKAGING)
        model = _keep(job, archive)
    except Cancelled:
        training.end_cancelled(job)
    except (NotTrainable, TrainingFailed, DomainError, StartFailed) as error:
        training.fail(job, error.message)
    except OSError as error:
        log.exception("training stopped by the machine", job=job.pk)
        training.fail(job, f"The machine stopped the training: {error.strerror or error}.")
    else:
        _finish(job, model)


def _finish(job: TrainingJob, model: Model) -> None:
    try:
        training.finish(job, model)
    except training.Superseded:
        delete_model(actor=None, model=model)  # a later attempt makes its own
        raise
    except training.CancelRequested:
        delete_model(actor=None, model=model)
        training.end_cancelled(job)


def _prepare(job: TrainingJob, folder: Path) -> Project:
    """The revision's files below `folder`, and what to train there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = revisions.files_of(job.revision)
    project = read_project(files)
    if not project.has_assistant_id:
        # Rasa would make up another id at every training, and each model would look like another assistant's.
        line = f"\nassistant_id: {job.assistant.slug}\n".encode()
        files[project.config] = files[project.config].rstrip() + line
    revisions.write_files(files, folder)
    return project


def _keep(job: TrainingJob, archive: Path) -> Model:
    with archive.open("rb") as source:
        added = add_model(
            actor=job.requested_by,
            actor_label=job.requested_by_label,
            assistant=job.assistant,
            source=source,
            file_name=archive.name,
            origin=Model.Origin.TRAINED,
            revision=job.revision,
        )
    return added.model


@dataclass
class Attempt:
    """Follows one `rasa train` from its start to its archive."""

    job: TrainingJob
    processes: Processes
    folder: Path
    project: Project
    offset: int = 0
    kept: int = 0
    tail: str = ""
    unwritten: str = ""
    left_out: int = 0
    next_beat: float = 0.0
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.project.components)

    def run(self) -> Path:
        """The archive that Rasa wrote. Raises Cancelled, TrainingFailed, training.Superseded."""
        training.advance(self.job, TrainingJob.State.TRAINING)
        handle = self.processes.start(self._spec())
        try:
            status = self._follow(handle)
        finally:
            self.processes.stop(handle, grace=5)
        self._take_log(handle)
        self._close_log()
        archives = sorted((self.folder / "models").glob("*.tar.gz"))
        if status.code != 0 or not archives:
            raise TrainingFailed(failure_message(self.tail, status.explain()))
        return archives[-1]

    def _spec(self) -> Spec:
        project = self.project
        return Spec(
            arguments=train_arguments(config=project.config, domain=project.domain, data=project.data, out="models"),
            folder=self.folder,
            log=self.folder / "train.log",
            python_path=(self.folder,),
            low_priority=True,
        )

    def _follow(self, handle: Handle) -> Status:
        until = time.monotonic() + settings.TRAINING_SECONDS
        while True:
            status = self.processes.poll(handle)
            self._tell(handle)
            if not status.running:
                return status
            if time.monotonic() > until:
                minutes = settings.TRAINING_SECONDS // 60
                raise TrainingFailed(f"The training took longer than the {minutes} minutes it may take.")
            time.sleep(LOOK_SECONDS)

    def _tell(self, handle: Handle) -> None:
        """Write log and heartbeat. A database that is away stops neither the training nor us: we say it later."""
        try:
            self._take_log(handle)
            if time.monotonic() >= self.next_beat:
                self.next_beat = time.monotonic() + BEAT_SECONDS
                progress = self.progress
                if training.beat(self.job, step=progress.step, done=progress.done, total=progress.total):
                    raise Cancelled
        except (OperationalError, InterfaceError):
            log.warning("database away, the training goes on", job=self.job.pk)
            connection.close()

    def _take_log(self, handle: Handle) -> None:
        while True:
            chunk = self.processes.read_log(handle, self.offset)
            if not chunk.text:
                return
            self.progress.read(chunk.text)
            self.offset = chunk.offset
            self._keep_output(chunk.text)

    def _keep_output(self, text: str) -> None:
        """Write what came; what cannot be written now, because the database is away, waits for the next time."""
        self.tail = (self.tail + text)[-LOG_TAIL:]
        room = LOG_KEPT - self.kept - len(self.unwritten)
        self.unwritten += text[: max(0, room)]
        self.left_out += max(0, len(text) - max(0, room))
        if self.unwritten:
            training.append_log(self.job, self.unwritten)
            self.kept += len(self.unwritten)
            self.unwritten = ""

    def _close_log(self) -> None:
        if self.left_out:
            cut = max(0, self.left_out - LOG_TAIL)
            training.append_log(self.job, f"\n… {cut} characters left out …\n{self.tail[-self.left_out :]}")


def requeue_forgotten() -> None:
    """Without Rasa a worker would only put them back; with it they begin at once."""
    if find_runtime() is not None:
        training.requeue_forgotten()


def sweep_folders() -> None:
    """Remove what killed attempts left on this machine's disk."""
    if not settings.JOBS_DIR.is_dir():
        return
    active = {
        f"{pk}-{n}" for pk, n in TrainingJob.objects.filter(state__in=TrainingJob.ACTIVE).values_list("pk", "attempt")
    }
    for folder in settings.JOBS_DIR.iterdir():
        if folder.is_dir() and folder.name != "home" and folder.name not in active:
            shutil.rmtree(folder, ignore_errors=True)
