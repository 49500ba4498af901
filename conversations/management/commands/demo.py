"""`manage.py demo`: fill a running installation with realistic use, through the real doors."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.demo.changes import CHANGES, Change
from conversations.demo.dialogues import dialogues, examples_of
from conversations.models import Conversation
from environments.models import Environment
from environments.services.address import NoServer, server_of
from environments.services.overview import overview
from environments.services.promotion import promote
from models_app.models import Assistant, Model, TrainingJob
from models_app.services.revisions import files_of, newest_revision, save_revision
from models_app.services.same_training import TrainedAlready
from models_app.services.tags import set_tag
from models_app.services.training import request_training
from studio.access.models import User
from studio.command import BaseCommand
from studio.crypto import decrypt
from studio.errors import Conflict, DomainError
from studio.rasa.client import RasaError
from studio.rasa.signing import chat_token

PATIENCE_SECONDS = 15 * 60  # for a step of the machine: an installation, a training, a roll-out
SHARE_BEFORE = 0.4  # of the conversations are spoken before the first change, the rest spread over the changes


class Command(BaseCommand):
    help = "Train, promote and talk as a team would: several revisions, and conversations with the real server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", default="default")
        parser.add_argument("--conversations", type=int, default=220)

    def handle(self, *args: Any, **options: Any) -> None:
        assistant = Assistant.objects.current().filter(slug=options["assistant"]).first()
        admin = User.objects.filter(username="admin").first()
        if assistant is None or admin is None:
            raise CommandError("Start Parley once with make run; it makes the assistant and the account admin.")
        try:
            Demo(assistant, admin, options["conversations"], self._say).run()
        except (DomainError, RasaError) as error:
            raise CommandError(error.message) from error

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class Demo:
    """One run; what an earlier run did already is not done twice."""

    def __init__(self, assistant: Assistant, actor: User, conversations: int, say: Callable[[str], None]) -> None:
        self.assistant, self.actor, self.say = assistant, actor, say
        self.production = Environment.objects.current().get(assistant=assistant, name="production")
        revision = newest_revision(assistant)
        if revision is None:
            raise CommandError("The assistant has no training data. The demo needs the starter (PARLEY_STARTER=1).")
        spoken = list(dialogues(examples_of(files_of(revision)), conversations))
        first = int(len(spoken) * SHARE_BEFORE)
        rest = max(1, (len(spoken) - first) // len(CHANGES))
        self.batches = [spoken[:first], *(spoken[at : at + rest] for at in range(first, len(spoken), rest))]

    def run(self) -> None:
        self._wait("production to answer", self._is_live)
        self._talk(self.batches[0])
        for change, batch in zip(CHANGES, self.batches[1:], strict=False):
            self._release(change)
            self._talk(batch)
        for batch in self.batches[1 + len(CHANGES) :]:
            self._talk(batch)
        total = Conversation.objects.filter(assistant=self.assistant).count()
        self.say(f"Done: {total} conversations, {self.production.promotions.count()} promotions.")

    def _release(self, change: Change) -> None:
        """Edit, train, tag and promote, as a person does it on the pages."""
        newest = newest_revision(self.assistant)
        assert newest is not None  # asked in __init__
        files = files_of(newest)
        text = files.get(change.path, b"").decode()
        if change.before not in text:
            self.say(f"{change.message}: done already")
            return
        files[change.path] = text.replace(change.before, change.after).encode()
        revision = save_revision(
            actor=self.actor,
            assistant=self.assistant,
            files=files,
            message=change.message,
            parent_number=newest.number,
        )
        try:
            job = request_training(actor=self.actor, assistant=self.assistant, revision=revision)
        except TrainedAlready as known:
            job = known.job
        self._wait(f"training of revision {revision.number} ({change.message})", lambda: self._is_trained(job))
        model = Model.objects.get(job=job)
        set_tag(actor=self.actor, model=model, name=change.tag)
        try:
            promote(actor=self.actor, environment=self.production, model=model, reason=change.reason)
        except Conflict as error:
            self.say(error.message)
        self._wait(f"{model.name} to run in production", self._is_live)

    def _is_trained(self, job: TrainingJob) -> bool:
        job.refresh_from_db()
        if job.is_ended and job.state != TrainingJob.State.DONE:
            raise CommandError(f"Job {job.number} ended as {job.state}: {job.message}")
        return job.state == TrainingJob.State.DONE

    def _is_live(self) -> bool:
        environment = Environment.objects.select_related("tag__model", "server").get(pk=self.production.pk)
        if overview(environment).status != "running":
            return False
        try:
            server_of(environment)
        except NoServer:
            return False
        return True

    def _talk(self, batch: list[list[str]]) -> None:
        address = server_of(Environment.objects.get(pk=self.production.pk))
        client = address.client(10.0)
        key = decrypt(self.production.private_key_encrypted)
        for number, messages in enumerate(batch, start=1):
            guest = f"guest-{secrets.token_hex(6)}"
            for message in messages:
                client.send(chat_token(key, guest), message, input_channel="web")
            if number % 20 == 0 or number == len(batch):
                self.say(f"  {number} of {len(batch)} conversations spoken")

    def _wait(self, what: str, is_done: Callable[[], bool]) -> None:
        began = time.monotonic()
        self.say(f"Waiting for {what} …")
        while not is_done():
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise CommandError(f"Gave up waiting for {what}. The home page says what is missing.")
            time.sleep(1)
        self.say(f"  {time.monotonic() - began:.0f} s")
