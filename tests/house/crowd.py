"""Many of everything in the world of the permission matrix: what a page asks once for each row shows."""

import time
from datetime import UTC, datetime, timedelta

from conversations.chat.links import create_link
from conversations.chat.sessions import begin_talk
from conversations.chat.targets import Target
from conversations.ingest.kafka_settings import KafkaSettings
from conversations.models import (
    CompletenessFinding,
    CompletenessRun,
    Event,
    IntakeIncident,
    IntakeSource,
    TalkSession,
)
from conversations.services import erasure_runs, export_runs, retention
from conversations.services.corrections import Verdict, correct
from conversations.services.exporting import Format
from conversations.services.intake import Wishes, add_source
from conversations.services.saved_filters import save_filter
from environments.models import Environment, Replica
from environments.services import slots
from environments.services.birth import create_environment
from environments.services.promotion import promote
from environments.services.transitions import State, add
from models_app.models import Assistant, Finding, Model, TrainingJob, Validation
from models_app.services.revisions import newest_revision, save_revision
from models_app.services.tags import set_tag
from models_app.services.training import request_training
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.access.services import tokens
from studio.access.services.roles import save_role
from studio.access.services.service_accounts import make_service
from studio.jobs.models import Heartbeat
from tests.conversations.events import small_talk, user
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events
from tests.house.world import World

MANY = 12
LONG = timedelta(hours=1)  # as long as the tests take, and more


def bring(world: World) -> None:
    cafe, admin = Assistant.objects.get(slug="cafe"), world.people["admin"]
    _processes()
    _people(admin, cafe)
    models = _models(cafe, admin)
    places = _environments(cafe, admin, models)
    _trainings(cafe, admin)
    _conversations(cafe, admin, places)
    Event.objects.filter(pk=world.words["event"]).update(confidence=0.1)  # others follow it in the inbox
    _lists(cafe, admin, places, models)
    for number in range(MANY):
        make_assistant(f"crowd-{number}")


def _processes() -> None:
    """All that an installation has, so that no page stops at saying that one is missing."""
    now = datetime.now(UTC)
    Heartbeat.objects.bulk_create(
        Heartbeat(kind=kind, name=f"crowd-{number}", started_at=now, at=now + LONG)
        for kind in ("ingest", "training-worker", "running-worker", "controller", "schedule")
        for number in range(MANY)
    )


def _people(admin: User, cafe: Assistant) -> None:
    for number in range(MANY):
        person = make_person("annotator", Scope(cafe.pk), username=f"crowd-{number}")
        save_role(actor=admin, role=None, name=f"role-{number}", description="", permissions=[Permission.TALK])
        robot = make_service(actor=admin, username=f"robot-{number}", description="")
        for one in (person, robot, admin):
            tokens.make(actor=admin, user=one, name=f"token {number}", permissions=[Permission.TALK])


def _models(cafe: Assistant, admin: User) -> list[Model]:
    models = [make_model(cafe, f"crowd-{number}") for number in range(MANY)]
    for number, model in enumerate(models):
        set_tag(actor=admin, model=model, name=f"tag-{number}")
    return models


def _environments(cafe: Assistant, admin: User, models: list[Model]) -> list[Environment]:
    places = [create_environment(actor=admin, assistant=cafe, name=f"crowd-{number}") for number in range(MANY)]
    now = datetime.now(UTC)
    for place in [*places[:2], environment_of(cafe), environment_of(cafe, "worker")]:
        for number, model in enumerate(models):
            add(promote(actor=admin, environment=place, model=model, reason="Better."), State.RUNNING, now)
            Replica.objects.create(environment=place, key=f"replica-{number}", last_seen_at=now, model=model)
    return places


def _trainings(cafe: Assistant, admin: User) -> None:
    for number in range(MANY):
        newest = newest_revision(cafe)
        revision = save_revision(
            actor=admin,
            assistant=cafe,
            files={"domain.yml": f"intents: [greet, crowd_{number}]\n".encode()},
            message=f"Change {number}",
            parent_number=newest.number if newest else None,
        )
        job = request_training(actor=admin, assistant=cafe, revision=revision)
        TrainingJob.objects.filter(pk=job.pk).update(state=("failed", "done", "training", "queued")[number % 4])
        validation = Validation.objects.create(
            assistant=cafe,
            revision=revision,
            job=job,
            digest=revision.digest,
            errors=MANY,
            warnings=0,
            finished_at=datetime.now(UTC),
        )
        Finding.objects.bulk_create(
            Finding(validation=validation, severity="error", message=f"Odd {line}", path="domain.yml", line=line)
            for line in range(MANY)
        )


def _conversations(cafe: Assistant, admin: User, places: list[Environment]) -> None:
    for number in range(3 * MANY):
        place = [*places, environment_of(cafe)][number % (len(places) + 1)]
        store_events(place, *small_talk(sender=f"crowd-{number}"))
        store_events(place, user(f"perhaps {number}", 1_790_000_100.0, sender=f"crowd-{number}", confidence=0.4))
        store_events(place, user(f"lately {number}", time.time() - 60, sender=f"crowd-{number}", confidence=0.75))
        store_events(place, f'{{"sender_id": "crowd-{number}", "event": "us'.encode())
    for event in Event.objects.filter(text__startswith="perhaps", conversation__assistant=cafe)[:MANY]:
        correct(actor=admin, event=event, verdict=Verdict("greet"))
    # The conversation that pages show has many turns, too.
    for number in range(MANY):
        store_events(
            environment_of(cafe), user(f"again {number}", 1_790_000_200.0 + number, sender="anna", confidence=0.5)
        )


def _lists(cafe: Assistant, admin: User, places: list[Environment], models: list[Model]) -> None:
    for number in range(MANY):
        place = places[number % len(places)]
        create_link(actor=admin, environment=place, name=f"friends {number}")
        begin_talk(actor=admin, target=Target(place))
        save_filter(owner=admin, assistant=cafe, name=f"Crowd {number}", query=f"q={number}", is_shared=True)
        erasure_runs.request_run(actor=admin, assistant=cafe, query=f"q={number}")
        export_runs.request_run(actor=admin, assistant=cafe, query=f"q={number}", kind=Format.JSONL)
        slots.ask(actor=admin, model=models[number])
        source = add_source(
            actor=admin, assistant=cafe, wishes=Wishes(f"Kafka {number}", KafkaSettings(("127.0.0.1:9",)))
        )
        IntakeIncident.objects.create(
            source=source, kind="overtaken", topic="rasa", partition=0, first_offset=1, end_offset=2
        )
        run = CompletenessRun.objects.create(
            environment=environment_of(cafe), until=1_790_000_000.0 + number, state="done"
        )
        CompletenessFinding.objects.create(
            run=run, sender_id=f"crowd-{number}", missing=1, details={"missing": [], "extra": []}
        )
    IntakeSource.objects.update(heartbeat_at=datetime.now(UTC) + LONG)
    lately = datetime.now(UTC) - timedelta(minutes=5)
    TalkSession.objects.update(first_text="Is there tea?", last_at=lately, answered_at=lately)
    for place in places:
        retention.add_rule(actor=admin, assistant=cafe, environment=place, days=30)
