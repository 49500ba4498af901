"""What is there when the permission matrix asks: one assistant with one of everything, and one person of each kind.

Beside it stand things that some of them must not know of. Every one has the word SEALED in its name.
"""

from dataclasses import dataclass, field

from django.contrib.sessions.backends.db import SessionStore

from conversations.chat.links import Options, create_link
from conversations.chat.sessions import begin_talk
from conversations.chat.targets import Target
from conversations.ingest.kafka_settings import KafkaSettings
from conversations.models import (
    CompletenessFinding,
    CompletenessRun,
    Conversation,
    DeadLetter,
    ErasureRun,
    ExportRun,
    IntakeIncident,
    Mark,
    TalkSession,
)
from conversations.services import erasure_runs, export_runs, retention
from conversations.services.dead_letter_runs import Selection, request_run
from conversations.services.exporting import Format
from conversations.services.intake import Wishes, add_source
from conversations.services.saved_filters import save_filter
from environments.models import Environment
from environments.services import slots
from environments.services.birth import create_environment
from environments.services.managed import run_here
from environments.services.promotion import promote
from models_app.models import Assistant, Model
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from studio.access.models import ApiToken, BrowserSession, Grant, KeptAnswer, User
from studio.access.permissions import Permission, Scope
from studio.access.services import tokens
from studio.access.services.roles import save_role
from studio.access.services.service_accounts import make_service
from studio.access.services.sessions import Visitor, begin
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from studio.rasa.models import RasaRuntime
from tests.conversations.events import small_talk
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events

# Who asks. `worker_annotator` is annotator of the assistant's environment `worker` and of nothing else.
# `inn_annotator` is annotator of another assistant.
VIEWERS = ("anonymous", "tester", "annotator", "admin", "worker_annotator", "inn_annotator")
OUTSIDERS = ("anonymous", "worker_annotator", "inn_annotator")  # to whom nothing sealed may show
SEALED = "zq7sealed"  # so long that no token of a page has it by chance, as one in four thousand has three characters


@dataclass(frozen=True, slots=True)
class World:
    """`people` has every viewer but the anonymous one; `words` fills the {placeholders} of the matrix."""

    people: dict[str, User]
    words: dict[str, object]
    sealed: dict[str, object]  # the same words for what lies in the sealed environment, and that as `environment`
    tokens: dict[str, str]  # an API token of each person, with every permission there is
    sessions: dict[str, str] = field(default_factory=dict)  # of each the key of one: signing in outlasts most answers


def make_world() -> World:
    """Assistant `cafe` with model `otter`, data, job 1, the role `reader` that nobody has, and conversations in `production` and in `worker`."""
    cafe = make_assistant("cafe")
    worker = environment_of(cafe, "worker")
    people = {role: make_person(role, username=role) for role in ("tester", "annotator", "admin")}
    people["worker_annotator"] = make_person("annotator", Scope(cafe.pk, worker.pk), username="worker-annotator")
    people["inn_annotator"] = make_person("annotator", Scope(make_assistant("inn", "Inn").pk), username="inn-annotator")
    otter = make_model(cafe, "otter")
    _train(cafe)
    words = {
        **_conversations(cafe, worker, people["admin"]),
        **_dead_letters(cafe, worker, people["admin"]),
        **_accounts(people),
        **_taking_out(cafe, people["admin"]),
        **_chats(environment_of(cafe), people),
        **_intake(cafe, "Kafka"),
        **_trying(otter, people["annotator"]),
        "run": _run(environment_of(cafe), "anna"),
        "other_incident": _sealed_assistant(),
        "rasa": RasaRuntime.objects.create(version="3.5.17", state="failed").version,
    }
    make_assistant("default")
    sealed = _sealed_environment(cafe, people)
    return World(people, words, sealed, {name: _whole_token(people["admin"], one) for name, one in people.items()})


def _train(assistant: Assistant, actor: User | None = None, message: str = "") -> None:
    files = {"domain.yml": b"{}\n"}
    revision = save_revision(actor=actor, assistant=assistant, files=files, message=message, parent_number=None)
    request_training(actor=actor, assistant=assistant, revision=revision)


def _sealed_assistant() -> object:
    """Another assistant, of which only the people who hold something everywhere know; an incident of it."""
    bakery = make_assistant(f"{SEALED}-bakery", f"Bakery {SEALED}")
    boss = make_person("admin", Scope(bakery.pk), username=f"{SEALED}-boss")
    production = environment_of(bakery)
    promote(actor=boss, environment=production, model=make_model(bakery, f"{SEALED}-model"), reason=f"{SEALED} why")
    _train(bakery, boss, f"{SEALED} data")
    _conversation(production, f"{SEALED}-dora")
    incident = _intake(bakery, f"{SEALED} Kafka")["incident"]
    create_link(actor=boss, environment=production, name=f"{SEALED} neighbours")
    return incident


def _sealed_environment(cafe: Assistant, people: dict[str, User]) -> dict[str, object]:
    """One of everything in an environment of `cafe` that the annotator of `worker` has no part in; `heron` is live."""
    vault = create_environment(actor=None, assistant=cafe, name=f"{SEALED}-vault")
    promote(actor=None, environment=vault, model=make_model(cafe, "heron"), reason=f"{SEALED} why")
    run_here(actor=None, environment=vault)
    talk = _conversation(vault, f"{SEALED}-carla")
    chats = _chats(vault, people, f"{SEALED} friends")
    TalkSession.objects.filter(sender_id=chats["talk"]).update(first_text=f"{SEALED} hello")
    event = talk.events.get(kind="user").pk
    letter = _dead_letter(vault, f"{SEALED}-carla")
    return {
        "environment": vault.name,
        "conversation": talk.pk,
        "worker_conversation": talk.pk,
        "dead_letter": letter,
        "worker_dead_letter": letter,
        "event": event,
        "mark": _flag(talk),
        "run": _run(vault, f"{SEALED}-carla"),
        **chats,
    }


def _intake(assistant: Assistant, name: str) -> dict[str, object]:
    """A Kafka source with an incident."""
    wishes = Wishes(name, KafkaSettings(servers=("127.0.0.1:9",)))
    source = add_source(actor=None, assistant=assistant, wishes=wishes)
    incident = IntakeIncident.objects.create(
        source=source, kind="overtaken", topic="rasa_core_events", partition=0, first_offset=10, end_offset=17
    )
    return {"source": source.pk, "incident": incident.pk}


def _conversations(cafe: Assistant, worker: Environment, admin: User) -> dict[str, object]:
    talk = _conversation(environment_of(cafe), "anna")
    return {
        "conversation": talk.pk,
        "event": talk.events.get(kind="user").pk,
        "mark": _flag(talk),
        "worker_conversation": _conversation(worker, "berta").pk,
        "filter": save_filter(owner=admin, assistant=cafe, name="Mine", query="q=tea", is_shared=True).pk,
    }


def _flag(conversation: Conversation) -> int:
    return Mark.objects.create(assistant_id=conversation.assistant_id, conversation=conversation, kind="flag").pk


def _taking_out(cafe: Assistant, admin: User) -> dict[str, object]:
    """A retention rule, a deletion that was counted, and a file that a token of every permission has prepared."""
    erasure = erasure_runs.request_run(actor=admin, assistant=cafe, query="")
    ErasureRun.objects.filter(pk=erasure.pk).update(state="counted", total=2)
    export = export_runs.request_run(actor=admin, assistant=cafe, query="", kind=Format.JSONL)
    ExportRun.objects.filter(pk=export.pk).update(limit={"permissions": list(Permission)})
    return {
        "erasure": erasure.pk,
        "rule": retention.add_rule(actor=admin, assistant=cafe, environment=environment_of(cafe), days=90).pk,
        "export": export.pk,
    }


def _dead_letters(cafe: Assistant, worker: Environment, admin: User) -> dict[str, object]:
    """One in `production` and one in `worker`, of the same cause, and a run over them that waits."""
    return {
        "dead_letter": _dead_letter(environment_of(cafe), "anna"),
        "worker_dead_letter": _dead_letter(worker, "berta"),
        "dead_run": request_run(actor=admin, act="retry", selection=Selection(cafe, "not-json")).pk,
    }


def _dead_letter(environment: Environment, sender: str) -> int:
    store_events(environment, f'{{"sender_id": "{sender}", "event": "us'.encode())
    return DeadLetter.objects.latest("pk").pk


def _conversation(environment: Environment, sender: str) -> Conversation:
    store_events(environment, *small_talk(sender=sender))
    return Conversation.objects.get(sender_id=sender)


def _run(environment: Environment, sender: str) -> int:
    """A check that found something missing."""
    run = CompletenessRun.objects.create(
        environment=environment, until=1_790_000_000.0, requested_by_label="admin", state="done", lists_senders=False,
        conversations_compared=1, events_there=9, events_missing=1, phase="ours",
    )  # fmt: skip
    details = {"missing": [[1_790_000_000.0, "user", "greet"]], "extra": []}
    CompletenessFinding.objects.create(run=run, sender_id=sender, missing=1, details=details)
    return run.pk


def _chats(environment: Environment, people: dict[str, User], name: str = "friends") -> dict[str, object]:
    """The annotator's talk in an environment, and a link to it for guests."""
    talk = begin_talk(actor=people["annotator"], target=Target(environment))
    options = Options(origins=["https://www.example.org"])
    link = create_link(actor=people["admin"], environment=environment, name=name, options=options)
    return {"talk": talk.sender_id, "link": link.pk, "code": decrypt(link.code_encrypted)}


def _trying(model: Model, person: User) -> dict[str, object]:
    """A slot that waits in line, and a talk with its model."""
    slot = slots.ask(actor=person, model=model)
    return {"slot": slot.pk, "trial": begin_talk(actor=person, target=Target(slot.environment, model)).sender_id}


def _browser(person: User) -> BrowserSession:
    """A browser in which somebody is signed in."""
    session = SessionStore()
    session.create()
    return begin(actor=person, session=session, by=BrowserSession.By.PASSWORD, visitor=Visitor("127.0.0.1"))


def _accounts(people: dict[str, User]) -> dict[str, object]:
    save_role(actor=None, role=None, name="reader", description="", permissions=[])
    KeptAnswer.objects.create(user=people["admin"], key="a word", status=201)
    robot = make_service(actor=None, username="nightly-build", description="")
    mine = _token(people["annotator"], people["annotator"])
    return {
        "service": robot.pk,
        "service_token": _token(people["admin"], robot).pk,
        "api_token": mine.pk,
        "api_token_key": mine.key,
        "person": people["tester"].pk,
        "browser": _browser(people["tester"]).pk,
        "grant": Grant.objects.get(user=people["tester"]).pk,
        "audit_event": AuditEvent.objects.latest("pk").pk,
    }


def _whole_token(actor: User, user: User) -> str:
    return tokens.make(actor=actor, user=user, name="all of it", permissions=Permission).text


def _token(actor: User, user: User) -> ApiToken:
    return tokens.make(actor=actor, user=user, name="build", permissions=[Permission.TALK]).row
