"""One of everything that pages show, some of it long or written from right to left, and an assistant that has nothing."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone

from conversations.chat import guests
from conversations.chat.links import Options, create_link
from conversations.chat.sessions import begin_talk
from conversations.chat.targets import Target
from conversations.ingest.kafka_settings import KafkaSettings
from conversations.models import CompletenessFinding, CompletenessRun, Correction, Event, IntakePosition, IntakeSource
from conversations.services.corrections import Verdict, correct
from conversations.services.examples import discard
from conversations.services.intake import Wishes, add_source
from conversations.services.ratings import rate
from environments.models import Environment, ManagedServer, Slot
from environments.services.birth import create_environment
from environments.services.managed import run_here
from environments.services.promotion import promote
from models_app.data.examples import Annotation
from models_app.models import Assistant, Model, TrainingJob
from models_app.services.revisions import save_revision
from models_app.services.tags import set_tag
from models_app.services.testing import Measured
from models_app.services.training import append_log, request_training
from studio.access.models import BrowserSession, User
from studio.access.services.sessions import Visitor, begin
from studio.crypto import decrypt
from studio.jobs import heartbeat
from studio.rasa.models import RasaRuntime
from tests.conversations.dead import make_letter
from tests.conversations.events import action, bot, small_talk, user
from tests.environments.polling import Poller
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events
from tests.house.world import make_world
from tests.models_app.measured import better, result_of, waiting_test

STARTER = Path(__file__).parents[2] / "starter"
LONG_NAME = "a-model-with-a-name-that-nobody-would-type-" + "x" * 150
QUESTIONS = [
    "هل يمكنني حجز طاولة لشخصين مساء الغد؟",
    "👩‍👩‍👧‍👦🎉",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 4,
    "Is the table at the window free tomorrow at seven, for five people and one rather quiet dog?",
]


def make_pages_world() -> dict[str, object]:
    """What fills the {placeholders} of pages."""
    world = make_world()
    cafe = Assistant.objects.get(slug="cafe")
    empty = make_assistant("empty", "An assistant with a title that fills more than the whole width of its switcher")
    _fill_models(cafe)
    _fill_training(cafe)
    tested = _fill_tests(cafe)
    _fill_troubled_environments(cafe)
    _fill_rasas()
    _fill_conversations(environment_of(cafe))
    letters = _fill_dead_letters(environment_of(cafe))
    return {
        **world.words,
        **letters,
        **_fill_links(environment_of(cafe)),
        **_fill_examples(cafe),
        **_fill_intake(cafe, int(str(world.words["source"]))),
        "slug": cafe.slug,
        "empty": empty.slug,
        "model": LONG_NAME,
        "other_model": "otter",
        **tested,
        **_own(world.people["admin"], cafe, world.words["slot"]),
        "admin": world.people["admin"].pk,
        "failed_run": _fill_completeness(environment_of(cafe)),
    }


def _own(admin: User, cafe: Assistant, slot: object) -> dict[str, object]:
    """What nobody but its owner opens: two talks and a browser."""
    trial = Target(Slot.objects.get(pk=slot).environment, Model.objects.get(assistant=cafe, name="otter"))
    session = SessionStore()
    session.create()
    browser = begin(actor=admin, session=session, by=BrowserSession.By.PASSWORD, visitor=Visitor("127.0.0.1"))
    talks = [begin_talk(actor=admin, target=target) for target in (Target(environment_of(cafe)), trial)]
    return {"own_browser": browser.pk, "talk": talks[0].sender_id, "trial": talks[1].sender_id}


def _fill_models(cafe: Assistant) -> None:
    model = make_model(cafe, LONG_NAME)
    set_tag(actor=None, model=model, name="a-tag-as-long-as-tags-may-be-which-is-sixty-three-letters-or-so")
    promote(actor=None, environment=environment_of(cafe), model=model)


def _fill_training(cafe: Assistant) -> None:
    """The starter's data and a small change of it, with a job that failed and one that waits."""
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    save_revision(actor=None, assistant=cafe, files=files, message="The café", parent_number=1)
    files["config.yml"] += b"\n# Longer in summer\n"
    revision = save_revision(actor=None, assistant=cafe, files=files, message="Summer hours", parent_number=2)
    failed = request_training(actor=None, assistant=cafe, revision=revision)
    TrainingJob.objects.filter(pk=failed.pk).update(state=TrainingJob.State.TRAINING, attempt=1)
    failed.refresh_from_db()
    append_log(failed, "Starting to train component 'LogisticRegressionClassifier'.\n" * 20)
    TrainingJob.objects.filter(pk=failed.pk).update(
        state=TrainingJob.State.FAILED, message=f"Duplicate intent '{'order_' * 30}' in line 12."
    )
    request_training(actor=None, assistant=cafe, revision=revision)


def _fill_tests(cafe: Assistant) -> dict[str, object]:
    """A model with two tests and a third that waits, and one of which nothing could be measured."""
    crane, bare = make_model(cafe, "crane"), make_model(cafe, "bare-crane")
    result_of(make_model(cafe, "better-crane"), better())
    result_of(bare, Measured(stories_note="The data has no test stories.", nlu_note="The data has no NLU examples."))
    result_of(crane, better())
    test = result_of(crane)
    waiting_test(crane)
    return {"test": test.job.number, "pair": test.confusions.earliest("pk").pk}


def _fill_troubled_environments(cafe: Assistant) -> None:
    """`lame` has a model that does not load and one with a long name to return to; the Rasa of `mute` does not answer.

    The third has a name as long as may be.
    """
    names = ("lame", "mute", "an-environment-with-the-longest-name-that-may-be-for-a-bakery")
    lame, mute, _ = (create_environment(actor=None, assistant=cafe, name=name) for name in names)
    ran, broken = (Model.objects.get(assistant=cafe, name=name) for name in (LONG_NAME, "crane"))
    poller = Poller(Client(), lame, name="rasa-1")
    for model, loads in ((ran, True), (broken, False)):
        promote(actor=None, environment=lame, model=model, reason="Hotfix " * 20)
        poller.loads = loads
        for _ in range(4):
            poller.poll()
    lame.replicas.update(busy_until=timezone.now() + timedelta(hours=1))
    promote(actor=None, environment=mute, model=ran)
    run_here(actor=None, environment=mute)
    ago = timezone.now() - timedelta(minutes=2)
    ManagedServer.objects.filter(environment=mute).update(state="running", ready_at=ago, heartbeat_at=ago)


def _fill_rasas() -> None:
    """Beside one that failed: a ready one, one that is being installed, and an own one."""
    facts = {"release": "3.5.1", "python": "3.10.13", "minimum_compatible_version": "3.5.0", "size": 10**9, "freed": 1}
    RasaRuntime.objects.create(version="3.5.1", state="ready", **facts)
    RasaRuntime.objects.create(version="3.5.2", state="installing", step=f"Downloading {'x' * 80}", done=1, total=4)
    RasaRuntime.objects.create(
        version="the-longest-name-that-may-be", own=True, state="ready", **{**facts, "size": None}
    )


def _fill_conversations(production: Environment) -> None:
    for at, text in enumerate(QUESTIONS):
        events = _dialogue(f"guest-{at}-{'x' * 40}", 1_790_000_000.0 + at * 3600, text)
        store_events(production, *events)


def _fill_links(production: Environment) -> dict[str, object]:
    """A link with every option and long comments, and one with a password."""
    options = Options(look="dark", accent="#e5a3ff", language="de", visitors_limit=3, messages_limit=20)
    options = replace(options, origins=["https://" + "a-long-name." * 8 + "example.org"])
    busy = create_link(actor=None, environment=production, name="Friends " * 14, greeting=QUESTIONS[0], options=options)
    locked = create_link(actor=None, environment=production, name="Locked", password="open sesame")
    for at, device in enumerate(("phone", "computer", "")):
        guest, _secret = guests.meet(link=busy, about=guests.About(language="pt", device=device, is_embedded=at == 1))
        session = guests.begin(guest=guest, link=busy)
        store_events(production, *small_talk(1_790_000_000.0 + at, sender=session.sender_id))
        spoken = Event.objects.get(conversation__sender_id=session.sender_id, kind="bot")
        rate(session=session, link=busy, key=f"e{spoken.pk}", value=("up", "down")[at % 2], comment=QUESTIONS[2][:500])
    codes = {"busy_code": decrypt(busy.code_encrypted), "locked_code": decrypt(locked.code_encrypted)}
    return {**codes, "busy_link": busy.pk}


def _fill_examples(cafe: Assistant) -> dict[str, object]:
    """Examples that wait, with entities, of a new intent and of texts that are in the data; and a message for the inbox."""
    anna = make_person("annotator", username="anna-" + "with-a-long-name-" * 5)
    production = environment_of(cafe)
    known, twice = "do you have a table on sunday?", "what they said to both"
    for at, (text, intent) in enumerate(
        [
            (known, "greet"),
            (QUESTIONS[3], "book_table"),
            (QUESTIONS[2], "a_new_intent_" * 8),
            ("see [this](that)", "greet"),
            (twice, "greet"),
            (twice, "goodbye"),
        ]
    ):
        store_events(production, user(text, 1_790_000_000.0, confidence=0.3, sender=f"example-{at}"))
        event = Event.objects.get(conversation__sender_id=f"example-{at}")
        marked = [Annotation(7, 12, "furniture_" * 5, value="dinner table", role="wanted")] if at == 1 else []
        correct(actor=anna, event=event, verdict=Verdict(intent, marked))
    store_events(production, user("hm " * 200, 1_790_000_000.0, confidence=0.3, sender="no-example"))
    correct(actor=anna, event=Event.objects.get(conversation__sender_id="no-example"), verdict=Verdict(""))
    gone = Correction.objects.filter(text=twice).latest("pk")
    discard(actor=anna, assistant=cafe, keys=[gone.pk])
    return {"unlooked": Event.objects.filter(kind="user", is_looked_at=False, text=QUESTIONS[0]).earliest("pk").pk}


def _fill_dead_letters(production: Environment) -> dict[str, object]:
    """Cut short and in two lines, no UTF-8, without a time, a list, and a time in milliseconds; each as its own word."""
    whole = json.dumps(user(QUESTIONS[0] + "\u202e", 1_790_000_000.0, sender="x" * 300), ensure_ascii=False, indent=1)
    records = {
        "cut_letter": whole[:-40].encode(),
        "bytes_letter": b"\x89PNG\r\n" + bytes(range(256)) * 3,
        "timeless_letter": whole.replace('"timestamp"', '"time"').encode(),
        "list_letter": b'["heartbeat", 17]',
        "milliseconds_letter": whole.replace("1790000000.0", "1790000000000").encode(),
    }
    return {name: make_letter(production, record).pk for name, record in records.items()}


def _fill_intake(cafe: Assistant, source: int) -> dict[str, object]:
    """A cluster that is behind, one that stopped by alarm, one that fails, and names that nobody has."""
    heartbeat.beat("ingest")
    now = timezone.now()
    facts = {"heartbeat_at": now, "last_event_at": now, "newest_event_at": 1_790_000_000.0, "events_total": 1_204_518}
    IntakeSource.objects.filter(pk=source).update(**facts, known_total=312)
    for partition, lag in enumerate((0, 48_211, 3)):
        IntakePosition.objects.create(
            source_id=source,
            topic="rasa_core_events",
            partition=partition,
            next_offset=900,
            end_offset=900 + lag,
            moved_at=now,
        )
    servers = (f"{'kafka-' * 12}1.data-centre.example.org:9093", "kafka-2.data-centre.example.org:9093")
    settings = KafkaSettings(servers=servers, security_protocol="SASL_SSL", sasl_username="parley", sasl_password="p")
    alarmed = add_source(actor=None, assistant=cafe, wishes=Wishes("Kafka of the other data centre", settings))
    IntakeSource.objects.filter(pk=alarmed.pk).update(alarm="501 of the last 1000 records could not be read.", **facts)
    failing = add_source(actor=None, assistant=cafe, wishes=Wishes("Kafka of the laboratory", settings))
    IntakeSource.objects.filter(pk=failing.pk).update(last_error=f"{servers[0]} refused the connection.")
    for name in ("abroad", "RASA_ENVIRONMENT_NOT_SET", "a-name-" + "that-goes-on-" * 15):
        store_events(environment_of(cafe), *small_talk(sender=f"guest of {name}"), under=name)
    return {"source": source, "alarmed": alarmed.pk}


def _dialogue(sender: str, at: float, text: str) -> list[dict]:
    buttons = [
        {"title": "نعم", "payload": "/affirm"},
        {"title": "A title too long for one line of a phone " * 2, "payload": "/deny"},
    ]
    return [
        user(text, at, sender=sender, intent="book_table_" + "very_" * 20 + "long", confidence=0.41),
        action("utter_ask", at + 0.1, sender=sender),
        bot(text, at + 0.2, sender=sender, data={"buttons": buttons}),
        bot(None, at + 0.3, sender=sender, data={"custom": {"kind": "carousel", "title": "x" * 90}}),
    ]


def _fill_completeness(production: Environment) -> int:
    """A repair that failed, with findings of every kind."""
    run = CompletenessRun.objects.create(
        environment=production,
        repairs=True,
        until=1_790_000_000.0,
        requested_by_label="admin",
        state="failed",
        message="No answer within 30 seconds. " * 4,
        conversations_unasked=1,
    )
    brief = [1_790_000_000.0, "action", "action_with_a_name_" + "very_" * 20 + "long"]
    findings = (
        {"sender_id": "x" * 300, "missing": 25, "added": 25, "details": {"missing": [brief] * 20}},
        {"sender_id": "نعم هل", "fault": "Rasa's HTTP API has no address for an id with such characters."},
        {"sender_id": "bert", "extra": 1, "details": {"extra": [brief]}},
    )
    for facts in findings:
        CompletenessFinding.objects.create(run=run, **facts)
    return run.pk
