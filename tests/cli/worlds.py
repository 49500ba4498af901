"""Two worlds in which the command is tried, steered alike: a fake Parley, and the real one with pretended Rasa servers.

What the same test sees in both keeps the fake honest.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from environments.models import Environment
    from models_app.models import Assistant

DOMAIN = 'version: "3.1"\nintents: [greet]\nresponses:\n  utter_greet:\n  - text: Hello\n'


class World(Protocol):
    url: str
    token: str

    def add_model(self, name: str) -> bytes:
        """Its archive."""

    def archive(self, name: str) -> bytes:
        """One that is not in Parley yet."""

    def save(self, **files: str) -> int:
        """Somebody else saves these YAML files; the revision's number."""

    def server(self, *, loads: bool = True) -> None:
        """From now on a Rasa server polls for production at each `advance`."""

    def promotes(self, model: str) -> None:
        """Somebody else promotes it to production at the next `advance`."""

    def training_ends(self, state: str, *, lines: str = "", model: str = "") -> None:
        """What becomes of the next training at the next `advance`."""

    def test_ends(self, correct: int, stories: int) -> None:
        """How many test stories of the next test go as written, at the `advance` after its training's end."""

    def advance(self) -> None:
        """A moment passes."""


class RealWorld:
    """Parley's own code behind a real port."""

    def __init__(self, url: str) -> None:
        from studio.access.permissions import EVERYWHERE, Permission
        from studio.access.services import tokens
        from tests.factories import environment_of, make_assistant, make_person

        self.url = url
        person = make_person("admin", username="ada")
        self.token = tokens.make(
            actor=person, user=person, name="cli", scope=EVERYWHERE, permissions=list(Permission), expires_at=None
        ).text
        self._assistant: Assistant = make_assistant("default")
        self._production: Environment = environment_of(self._assistant)
        self._polling: list[object] = []
        self._to_promote = ""
        self._end: tuple[str, str, str] | None = None
        self._test: tuple[int, int] | None = None

    def add_model(self, name: str) -> bytes:
        from tests.factories import make_model

        archive = self.archive(name)
        make_model(self._assistant, name, archive)
        return archive

    def archive(self, name: str) -> bytes:
        from tests.models_app.archives import model_archive

        return model_archive(model_id=name)

    def save(self, **files: str) -> int:
        from models_app.services.revisions import files_of, newest_revision, save_revision

        newest = newest_revision(self._assistant)
        changed = {f"{name.replace('__', '/')}.yml": text.encode() for name, text in files.items()}
        return save_revision(
            actor=None,
            assistant=self._assistant,
            files={**(files_of(newest) if newest else {}), **changed},
            message="",
            parent_number=newest.number if newest else None,
        ).number

    def server(self, *, loads: bool = True) -> None:
        from django.test import Client

        from tests.environments.polling import Poller

        self._polling.append(Poller(Client(), self._production, "rasa-1", loads=loads))
        self.advance()

    def promotes(self, model: str) -> None:
        self._to_promote = model

    def training_ends(self, state: str, *, lines: str = "", model: str = "") -> None:
        self._end = (state, lines, model)

    def test_ends(self, correct: int, stories: int) -> None:
        self._test = (correct, stories)

    def advance(self) -> None:
        from environments.services.promotion import promote
        from models_app.models import Model

        if self._to_promote:
            promote(actor=None, environment=self._production, model=Model.objects.get(name=self._to_promote))
            self._to_promote = ""
        for poller in self._polling:
            poller.poll()  # type: ignore[attr-defined]
        if self._end is not None:
            self._train(*self._end)
        elif self._test is not None:
            self._measure(*self._test)

    def _train(self, state: str, lines: str, model: str) -> None:
        from models_app.models import Model, TrainingJob
        from models_app.services import testing, training
        from tests.factories import make_model

        job = training.claim(worker="w", versions=["3.6.21"])
        if job is None:
            return
        if lines:
            training.append_log(job, lines)
        if state == "done":
            testing.finish_training(job, Model.objects.filter(name=model).first() or make_model(self._assistant, model))
        elif state == "cancelled":
            training.end_cancelled(job)
        elif state == "lost":
            TrainingJob.objects.filter(pk=job.pk).update(state=TrainingJob.State.LOST, message="It went silent.")
        else:
            training.fail(job, "Rasa could not train it.")
        self._end = None

    def _measure(self, correct: int, stories: int) -> None:
        from models_app.services import testing, training
        from models_app.training.results import Fault, Stories

        job = training.claim(worker="w", versions=["3.6.21"])
        if job is None:
            return
        faults = tuple(Fault(f"story {number}", "tests.yml", "…") for number in range(correct, stories))
        testing.finish_test(job, testing.Measured(Stories(stories, correct, 0, 1.0, faults), nlu_note="No examples."))
        self._test = None
