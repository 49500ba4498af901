"""What is there when the permission matrix asks: one assistant with one of everything, and one person of each kind."""

from dataclasses import dataclass

from conversations.chat.links import create_link
from conversations.chat.sessions import begin_talk
from conversations.ingest.write import Binding, Record, store_batch
from conversations.models import Conversation
from environments.models import Environment
from models_app.models import Assistant
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from studio.access.models import Grant, User
from studio.access.permissions import Scope
from studio.access.services.roles import save_role
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from tests.conversations.events import raw, small_talk
from tests.factories import environment_of, make_assistant, make_model, make_person

# Who asks. `worker_annotator` is annotator of the assistant's environment `worker` and of nothing else.
VIEWERS = ("anonymous", "tester", "annotator", "admin", "worker_annotator")


@dataclass(frozen=True, slots=True)
class World:
    """`people` has every viewer but the anonymous one; `words` fills the {placeholders} of the matrix."""

    people: dict[str, User]
    words: dict[str, object]


def make_world() -> World:
    """Assistant `cafe` with model `otter`, data, job 1, the role `reader` that nobody has, and conversations in `production` and in `worker`."""
    cafe = make_assistant("cafe")
    worker = environment_of(cafe, "worker")
    people = {role: make_person(role, username=role) for role in ("tester", "annotator", "admin")}
    people["worker_annotator"] = make_person("annotator", Scope(cafe.pk, worker.pk), username="worker-annotator")
    make_model(cafe, "otter")
    revision = save_revision(actor=None, assistant=cafe, files={"domain.yml": b"{}\n"}, message="", parent_number=None)
    request_training(actor=None, assistant=cafe, revision=revision)
    words = {**_conversations(cafe, worker), **_accounts(people), **_chats(cafe, people)}
    return World(people, words)


def _conversations(cafe: Assistant, worker: Environment) -> dict[str, object]:
    talk = _conversation(environment_of(cafe), "anna")
    return {
        "conversation": talk.pk,
        "event": talk.events.get(kind="user").pk,
        "worker_conversation": _conversation(worker, "berta").pk,
    }


def _conversation(environment: Environment, sender: str) -> Conversation:
    binding = Binding(environment.assistant_id, environment.pk, environment.name, "test")
    store_batch([Record(line, binding) for line in raw(*small_talk(sender=sender))])
    return Conversation.objects.get(sender_id=sender)


def _chats(cafe: Assistant, people: dict[str, User]) -> dict[str, object]:
    """The annotator's talk in production, and a link to it for guests."""
    production = environment_of(cafe)
    talk = begin_talk(actor=people["annotator"], environment=production)
    link = create_link(actor=people["admin"], environment=production, name="friends")
    return {"talk": talk.sender_id, "link": link.pk, "code": decrypt(link.code_encrypted)}


def _accounts(people: dict[str, User]) -> dict[str, object]:
    save_role(actor=None, role=None, name="reader", description="", permissions=[])
    return {
        "person": people["tester"].pk,
        "grant": Grant.objects.get(user=people["tester"]).pk,
        "audit_event": AuditEvent.objects.latest("pk").pk,
    }
