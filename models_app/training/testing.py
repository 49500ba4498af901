"""A job of kind test: `rasa test` of a model's dialogue with the test stories, and of a held-out twin of its NLU.

The model itself has learned every example of its revision, so measuring it with them would flatter it. Its twin is
trained with the same configuration on a part of the examples and measured with the rest.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from models_app.data.check import Role, is_beside_training
from models_app.data.outline import roles_at_a_glance
from models_app.data.vocabulary import vocabulary
from models_app.models import Model, TrainingJob
from models_app.services import training
from models_app.services.archives import NoArchive, fetch_archive
from models_app.services.revisions import files_of, write_files
from models_app.services.testing import Measured, finish_test
from models_app.services.training_settings import settings_of
from models_app.storage import StoreFailed
from models_app.training.attempt import Attempt, AttemptFailed
from models_app.training.output import Progress, failure_message
from models_app.training.project import Project
from models_app.training.results import Stories, Unreadable, read_nlu, read_stories
from studio.jobs.patience import insist, pulse
from studio.rasa import commands

Read = TypeVar("Read")
SEED = 42  # the same data is always split alike, so that two models can be compared
MODEL, STORIES, EXAMPLES = "tested.tar.gz", "test-stories", "nlu-examples"  # within the attempt's folder
SPLIT, TWIN, STORY_RESULTS, NLU_RESULTS = "split", "twin", "story-results", "nlu-results"
LEARNED, HELD_OUT = f"{SPLIT}/training_data.yml", f"{SPLIT}/test_data.yml"
STEPS = 4


class Step(Progress):
    """One command of several: `done` of `total` are over."""

    def __init__(self, title: str, at: int, components: tuple[str, ...] = ()) -> None:
        super().__init__(components)
        self._title, self._at = title, at
        self.step, self.done, self.total = title, at, STEPS

    def read(self, text: str) -> None:
        super().read(text)
        said = self.step.removeprefix("Training ") if self.step.startswith("Training ") else ""
        self.step, self.done = f"{self._title}{f': {said}' if said else ''}", self._at


def test(attempt: Attempt, project: Project) -> None:
    """Measure, keep the result and end the job as done. Raises what Attempt.run and the services raise."""
    job = attempt.job
    insist(partial(training.advance, job, TrainingJob.State.TRAINING))
    files = insist(partial(files_of, job.revision))
    measured = _nlu(attempt, project, files, _stories(attempt, files))
    insist(attempt.close)
    insist(partial(training.advance, job, TrainingJob.State.PACKAGING))
    insist(partial(finish_test, job, measured))


def _tested(job: TrainingJob) -> Model:
    if job.tested is None or job.tested.deleted_at is not None:
        raise AttemptFailed("The model was deleted before it could be tested.")
    return job.tested


def _run(attempt: Attempt, arguments: tuple[str, ...], step: Step) -> None:
    status = attempt.run(arguments, step)
    if status.code != 0:
        insist(attempt.close)
        raise AttemptFailed(failure_message(attempt.tail, status.explain()))


def _read(attempt: Attempt, read: Callable[[Path], Read], folder: str) -> Read:
    """Rasa ends with code 0 also when it could not do what it was asked for: then its log says why."""
    try:
        return read(attempt.folder / folder)
    except Unreadable as error:
        insist(attempt.close)
        raise AttemptFailed(failure_message(attempt.tail, str(error))) from error


# --- Dialogue -----------------------------------------------------------------------------------------------------


def _stories(attempt: Attempt, files: dict[str, bytes]) -> Measured:
    model = _tested(attempt.job)
    found = {path: data for path, data in files.items() if Role.TESTS in roles_at_a_glance(path, data)}
    if model.training_type == "nlu":
        return Measured(stories_note="The model holds no dialogue: it was trained from NLU data alone.")
    if not found:
        return Measured(
            stories_note="The data has no test stories. Add a file such as tests/test_stories.yml with conversations "
            "as they should go, and test again."
        )
    names = story_file_names(found)
    write_files({f"{STORIES}/{name}": found[path] for name, path in names.items()}, attempt.folder)
    _fetch(attempt.job, model, attempt.folder / MODEL)
    arguments = commands.story_test_arguments(model=MODEL, stories=STORIES, out=STORY_RESULTS)
    _run(attempt, arguments, Step("Playing the test stories", 0))
    stories = _read(attempt, read_stories, STORY_RESULTS)
    return Measured(stories=_named_as_in_revision(stories, names))


def story_file_names(paths: Iterable[str]) -> dict[str, str]:
    """For each file a name by which Rasa knows test stories, with the file's path in the revision."""
    names: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (not PurePosixPath(path).name.startswith("test_"), path)):
        name = PurePosixPath(path)
        if not name.name.startswith("test_"):
            name = name.with_name(f"test_{name.name}")
        while str(name) in names:
            name = name.with_name(name.name.replace("test_", "test__", 1))
        names[str(name)] = path
    return names


def _named_as_in_revision(stories: Stories, names: dict[str, str]) -> Stories:
    faults = [replace(one, path=names.get(one.path.partition(f"{STORIES}/")[2], one.path)) for one in stories.faults]
    return replace(stories, faults=tuple(faults))


def _fetch(job: TrainingJob, model: Model, to: Path) -> None:
    try:
        with pulse(partial(training.still_there, job)):
            fetch_archive(model, to)
    except StoreFailed as error:
        raise AttemptFailed(error.message, again=True) from error
    except NoArchive as error:
        raise AttemptFailed(f"The model cannot be tested. {error.message}") from error


# --- NLU ----------------------------------------------------------------------------------------------------------


def _nlu(attempt: Attempt, project: Project, files: dict[str, bytes], so_far: Measured) -> Measured:
    job = attempt.job
    examples = {path: data for path, data in files.items() if _has_nlu(path, data)}
    if note := _why_not_nlu(_tested(job), job, examples):
        return replace(so_far, nlu_note=note)
    write_files({f"{EXAMPLES}/{path}": data for path, data in examples.items()}, attempt.folder)
    percent = insist(partial(settings_of, job.assistant)).held_out_percent
    fraction = 1 - percent / 100
    split = commands.split_nlu_arguments(nlu=EXAMPLES, training_fraction=fraction, seed=SEED, out=SPLIT)
    _run(attempt, split, Step("Holding examples out", 1))
    only_learned = move_single_examples(attempt.folder / HELD_OUT, attempt.folder / LEARNED)
    train = commands.train_nlu_arguments(config=project.config, domain=project.domain, nlu=LEARNED, out=TWIN)
    _run(attempt, train, Step("Training the held-out twin", 2, project.components))
    measure = commands.nlu_test_arguments(model=TWIN, domain=project.domain, nlu=HELD_OUT, out=NLU_RESULTS)
    _run(attempt, measure, Step("Measuring NLU", 3))
    return replace(
        so_far,
        nlu=_read(attempt, read_nlu, NLU_RESULTS),
        held_out_percent=percent,
        learned=_examples_in(attempt.folder / LEARNED),
        held_out=_examples_in(attempt.folder / HELD_OUT),
        only_learned=only_learned,
    )


def _has_nlu(path: str, data: bytes) -> bool:
    return not is_beside_training(PurePosixPath(path)) and Role.NLU in roles_at_a_glance(path, data)


def _why_not_nlu(model: Model, job: TrainingJob, examples: dict[str, bytes]) -> str:
    if model.training_type == "core":
        return "The model holds no NLU: it was trained from stories and rules alone."
    if model.revision_id is None:
        return "The model was not trained here, so there is no data of which part could be held out."
    if model.revision_id != job.revision_id:
        return "The model has learned another revision, so a twin made of this one would say nothing of it."
    if not examples:
        return "The data has no NLU examples."
    counts = [sum(places.values()) for places in vocabulary(examples).places.values()]
    if sum(1 for count in counts if count > 1) < 2:
        return "Too few examples: at least two intents need two or more, one to learn and one to hold out."
    return ""


_INTENT = re.compile(r"""^- intent: (?P<quote>["']?)(?P<name>.*?)(?P=quote)$""")


def move_single_examples(held_out: Path, learned: Path) -> tuple[str, ...]:
    """Bring intents with a single example, which Rasa holds out unlearned, to what is learned; their names."""
    alone = _intents_in(held_out) - _intents_in(learned)
    if not alone:
        return ()
    kept: list[str] = []
    moved: list[str] = []
    goes = False
    for line in held_out.read_text().splitlines(keepends=True):
        if not line.startswith(" "):  # Rasa writes each entry at the margin
            match = _INTENT.match(line.rstrip("\n"))
            goes = match is not None and match["name"] in alone
        (moved if goes else kept).append(line)
    held_out.write_text("".join(kept))
    with learned.open("a") as file:
        file.write("".join(moved))
    return tuple(sorted(alone))


def _intents_in(path: Path) -> set[str]:
    return set(vocabulary({path.name: path.read_bytes()}).places)


def _examples_in(path: Path) -> int:
    return sum(sum(files.values()) for files in vocabulary({path.name: path.read_bytes()}).places.values())
