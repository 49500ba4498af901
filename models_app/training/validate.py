"""Rasa's validation of the data: a job of its own, or what each `rasa train` begins with.

Rasa 3.6 runs the same function in both (rasa/cli/utils.py, validate_files), so that a training is validated by the
process that trains it: no second start of Rasa, which takes seconds, and no more than `rasa train` by hand would take.
"""

from dataclasses import dataclass, field
from functools import partial

from models_app.data.check import Severity
from models_app.models import TrainingJob, Validation
from models_app.services import revisions, training, validation
from models_app.services.training_settings import settings_of
from models_app.training.attempt import Attempt, AttemptFailed
from models_app.training.output import Progress, failure_message
from models_app.training.project import Project
from models_app.validation.meaning import Found, findings
from models_app.validation.output import ValidationOutput
from models_app.validation.places import Places
from studio.jobs.patience import insist, pulse
from studio.rasa.commands import validate_arguments
from studio.rasa.process import Status

State = TrainingJob.State


class Validating(Progress):
    """Progress of a command that validates, alone or before it trains."""

    def __init__(self, components: tuple[str, ...] = ()) -> None:
        super().__init__(components)
        self.step = validation.STEP
        self.output = ValidationOutput()

    def read(self, text: str) -> None:
        self.output.read(text)
        super().read(text)


def validate(attempt: Attempt, project: Project) -> None:
    """A job of kind validation: keep what `rasa data validate` finds, and end as done whatever it is."""
    insist(partial(training.advance, attempt.job, State.TRAINING))
    insist(partial(attempt.job.refresh_from_db, fields=["rasa_version"]))  # as before a training
    progress = Validating()
    try:
        status = attempt.run(validate_arguments(project.config, project.domain, project.data), progress)
    finally:
        insist(attempt.close)
    if status.code not in (0, 1):
        raise AttemptFailed(failure_message(attempt.tail, status.explain()))
    found = insist(partial(_found, attempt, progress.output))
    found = found if status.code == 0 else _with_an_error(attempt, status, found)
    insist(partial(validation.finish_validation, attempt.job, found))


@dataclass
class ValidationFirst:
    """Validates a training's data with the command that trains it, when that is wanted and not known already."""

    attempt: Attempt
    components: tuple[str, ...]
    progress: Progress = field(init=False)
    is_left_out: bool = field(init=False)
    _is_kept: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        job = self.attempt.job
        job.refresh_from_db(fields=["rasa_version"])  # a team's own Rasa waits in line by a name, and has a version
        known = validation.known_valid(job.revision, job.rasa_version)
        self.is_left_out = known is not None or not settings_of(job.assistant).validate_first
        self.progress = Progress(self.components) if self.is_left_out else Validating(self.components)
        if self.is_left_out:
            training.advance(job, State.TRAINING)
            training.append_log(job, _why_left_out(known))

    def look(self) -> None:
        """While the command runs: keep what was found as soon as the training itself has begun."""
        if isinstance(self.progress, Validating) and self.progress.output.training_began:
            self._keep(State.TRAINING, self.progress.output)

    def conclude(self, status: Status) -> None:
        """When the command has ended. Raises AttemptFailed when errors ended it before any component trained."""
        if self._is_kept or not isinstance(self.progress, Validating):
            return
        if status.code == 0:
            self._keep(State.TRAINING, self.progress.output)
        elif status.code == 1:
            found = _with_an_error(self.attempt, status, _found(self.attempt, self.progress.output))
            validation.keep_findings(self.attempt.job, State.PREPARING, found)
            raise AttemptFailed(validation.refusal(found))

    def _keep(self, state: str, output: ValidationOutput) -> None:
        if not self._is_kept:
            validation.keep_findings(self.attempt.job, state, _found(self.attempt, output))
            self._is_kept = True


def _why_left_out(known: Validation | None) -> str:
    if known is None:
        return "The data is not validated: the assistant’s training settings say so.\n"
    result = f"found {known.words}" if known.words else "found nothing"
    return (
        f"The data is not validated again: {known.job.title.lower()} {result} in the same data with Rasa "
        f"{known.rasa_version}.\n"
    )


def _found(attempt: Attempt, output: ValidationOutput) -> list[Found]:
    said = output.said()
    if not said:
        return []
    folders = {str(attempt.folder), str(attempt.folder.resolve())}
    files = revisions.files_of(attempt.job.revision)
    with pulse(
        partial(training.still_there, attempt.job)
    ):  # many and large files take longer to look through than a silent worker is given
        return findings(said, Places(files), folders)


def _with_an_error(attempt: Attempt, status: Status, found: list[Found]) -> list[Found]:
    """Rasa ended with an error: when none of what it said was taken for one, the end of its log is."""
    if any(one.severity is Severity.ERROR for one in found):
        return found
    return [Found(Severity.ERROR, failure_message(attempt.tail, status.explain())[:1_500]), *found]
