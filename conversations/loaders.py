"""From a URL to a conversation, dead letter or source: 404 for who may not see it, 403 for who may not act on it."""

import math
from collections.abc import Sequence

import structlog
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from conversations.chat.targets import Kind, Target
from conversations.ingest.whose import sender_key
from conversations.limits import own
from conversations.models import (
    CompletenessRun,
    Conversation,
    DeadLetter,
    DeadLetterRun,
    ErasureRun,
    Event,
    ExportRun,
    IntakeIncident,
    IntakeSource,
    Mark,
    RetentionRule,
    SavedFilter,
    ShareLink,
    TalkSession,
)
from conversations.services.incidents import concerns
from environments.loaders import load_environment
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from environments.rights import may_modify, modify_permission, scope_of
from environments.services.trying import place_of
from models_app.loaders import load_assistant, load_model, load_within
from models_app.models import Assistant, Model
from models_app.querysets import ModelQuerySet
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope

MODELS_OFFERED = 50  # the newest
MODELS_NAMED = 500  # beside them, for whoever types a name
SAID = ("user", "bot", "agent")
NEAR_SECONDS = 0.000_001


def load_conversation(request: HttpRequest, slug: str, pk: int, permission: Permission | None = None) -> Conversation:
    """With how far the viewer has read it. `permission` is asked where it belongs, besides that to see it."""
    return _conversation(request, slug, permission, pk=pk)


def load_conversation_of(
    request: HttpRequest, slug: str, sender: str, permission: Permission | None = None
) -> Conversation:
    """The same by the sender_id."""
    return _conversation(request, slug, permission, sender_key=sender_key(sender))


def _conversation(request: HttpRequest, slug: str, permission: Permission | None, **known_by: object) -> Conversation:
    viewer = signed_in(request)
    seen = Conversation.objects.visible_to(viewer).filter(**known_by).with_read_until(viewer)
    rows = seen.select_related("environment", "share_link", "talker", "reviewed_by")
    conversation = load_within(request, slug, rows, "There is no such conversation, or you may not see it.")
    structlog.contextvars.bind_contextvars(conversation=conversation.pk)
    if permission is not None:
        require(viewer, permission, Scope(conversation.assistant_id, conversation.environment_id))
    return conversation


def load_target(request: HttpRequest, slug: str, kind: Kind, name: str) -> Target:
    """Whom the person may talk to. A model is tried by whoever may see it and talk within its whole assistant."""
    if kind is Kind.ENVIRONMENT:
        return Target(load_environment(request, slug, name, Permission.TALK))
    model = load_model(request, slug, name, Permission.TALK)
    return Target(place_of(model.assistant), model)


def load_event(conversation: Conversation, pk: int) -> Event:
    event = Event.objects.filter(conversation=conversation, pk=pk).first()
    if event is None:
        raise Http404("There is no such event in this conversation.")
    return event


def load_event_at(conversation: Conversation, timestamp: float, kinds: Sequence[str] = SAID) -> Event:
    """The event at a time that a program names, which may have lost the last digits on its way."""
    found: list[Event] = []
    if math.isfinite(timestamp):
        near = (timestamp - NEAR_SECONDS, timestamp + NEAR_SECONDS)
        rows = Event.objects.filter(conversation=conversation, timestamp__range=near, kind__in=kinds)
        found = sorted(rows[:10], key=lambda one: (abs(one.timestamp - timestamp), one.rank))
    if not found:
        raise Http404("There is no such message in this conversation.")
    return found[0]


def load_mark(conversation: Conversation, pk: int) -> Mark:
    mark = Mark.objects.select_related("event").filter(conversation=conversation, pk=pk).first()
    if mark is None:
        raise Http404("There is no such flag or tag; somebody may have removed it.")
    return mark


def may_correct(user: User, conversation: Conversation) -> bool:
    """Whether the person may say what the messages of a conversation, which they see, were meant as."""
    place = Scope(conversation.assistant_id, conversation.environment_id)
    return all(user.may(one, place) for one in (Permission.CONVERSATIONS_VIEW, Permission.CONVERSATIONS_FLAG))


def load_message(request: HttpRequest, slug: str, pk: int, event_pk: int) -> Event:
    """A user's message, for whoever may correct it."""
    conversation = load_conversation(request, slug, pk)
    event = Event.objects.filter(conversation=conversation, pk=event_pk, kind="user").first()
    if event is None:
        raise Http404("There is no such message in this conversation.")
    return _to_correct(request, conversation, event)


def load_message_at(request: HttpRequest, slug: str, sender: str, timestamp: float) -> Event:
    """The same by the sender_id and the message's time."""
    conversation = load_conversation_of(request, slug, sender)
    return _to_correct(request, conversation, load_event_at(conversation, timestamp, ("user",)))


def _to_correct(request: HttpRequest, conversation: Conversation, event: Event) -> Event:
    if not may_correct(signed_in(request), conversation):
        raise MissingPermission(Permission.CONVERSATIONS_FLAG)
    event.conversation = conversation
    return event


def load_own_talk(request: HttpRequest, slug: str, sender: str) -> TalkSession:
    """A talk of the person's own that can go on: 404 for everybody else's."""
    assistant = load_assistant(request, slug)
    person = signed_in(request)
    talks = TalkSession.objects.filter(person=person, sender_id=sender, environment__removed_at=None)
    talks = talks.select_related("environment__assistant", "environment__server", "environment__tag__model", "model")
    session = talks.filter(environment__assistant=assistant).first()
    is_over = session is not None and session.model is not None and session.model.deleted_at is not None
    if session is None or is_over:
        raise Http404("There is no such conversation of yours. Begin one by POST /api/chat.")
    structlog.contextvars.bind_contextvars(talk=session.pk)
    require(person, Permission.TALK, Scope(assistant.pk, session.environment_id))
    return session


def load_readable(request: HttpRequest, slug: str, permission: Permission = Permission.CONVERSATIONS_VIEW) -> Assistant:
    """The assistant of a page about everybody's conversations, for whoever holds the permission somewhere in it."""
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    for one in (Permission.CONVERSATIONS_VIEW, permission):
        if not user.may_somewhere(one, assistant.pk):
            raise MissingPermission(one)
    return assistant


def load_filter(request: HttpRequest, slug: str, pk: int, *, others: bool) -> SavedFilter:
    """One's own, to change it; with `others` also what somebody else shares, for whoever may change the assistant."""
    assistant = load_assistant(request, slug)
    viewer = signed_in(request)
    saved = SavedFilter.objects.visible_to(viewer).filter(assistant=assistant, pk=pk).first()
    if saved is None:
        raise Http404("There is no such filter, or you may not see it.")
    may_change = others and viewer.may_somewhere(Permission.ASSISTANTS_MODIFY, assistant.pk)
    if saved.owner_id != viewer.pk and not may_change:
        raise MissingPermission(Permission.ASSISTANTS_MODIFY)
    return saved


def load_analytics(request: HttpRequest, slug: str) -> Assistant:
    """The assistant whose numbers are asked for, by whoever may see those of some environment of it."""
    assistant = load_assistant(request, slug)
    if not signed_in(request).may_somewhere(Permission.ANALYTICS_VIEW, assistant.pk):
        raise MissingPermission(Permission.ANALYTICS_VIEW)
    return assistant


def load_dead_letter(request: HttpRequest, slug: str, pk: int, permission: Permission | None = None) -> DeadLetter:
    """`permission` is asked where the letter belongs, besides that to see it."""
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    letters = DeadLetter.objects.visible_to(user).select_related("source", "environment", "ended_by")
    letter = letters.filter(assistant=assistant, pk=pk).first()
    if letter is None:
        raise Http404("There is no such dead letter, or you may not see it.")
    if permission is not None:
        require(user, permission, Scope(assistant.pk, letter.environment_id))
    return letter


def load_run(request: HttpRequest, slug: str, pk: int, *, to_stop: bool = False) -> DeadLetterRun:
    """One's own; those of others for who sees all letters of the assistant, because a run says how many there are.
    `to_stop` these takes the right to handle them all."""
    assistant = load_readable(request, slug)
    user = signed_in(request)
    run = DeadLetterRun.objects.visible_to(user).filter(assistant=assistant, pk=pk).first()
    if run is None:
        raise Http404("Nothing of that kind was started here, or you may not see it.")
    if to_stop and not DeadLetterRun.objects.filter(own(user), pk=pk).exists():
        require(user, Permission.CONVERSATIONS_FLAG, Scope(assistant.pk))
    return run


def load_export(request: HttpRequest, slug: str, pk: int) -> ExportRun:
    """One's own, while one may see conversations."""
    assistant = load_readable(request, slug)
    runs = ExportRun.objects.visible_to(signed_in(request)).select_related("assistant", "requested_by")
    run = runs.filter(assistant=assistant, pk=pk).first()
    if run is None:
        raise Http404("There is no such export, or it is somebody else's.")
    return run


def load_erasure(request: HttpRequest, slug: str, pk: int) -> ErasureRun:
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_ERASE)
    runs = ErasureRun.objects.visible_to(signed_in(request)).select_related("assistant", "environment", "requested_by")
    run = runs.filter(assistant=assistant, pk=pk).first()
    if run is None:
        raise Http404("Nothing of that kind was started here, or you may not see it.")
    return run


def load_retention(request: HttpRequest, slug: str) -> Assistant:
    """The assistant whose conversations somebody may delete, wherever in it they are."""
    assistant = load_assistant(request, slug)
    require(signed_in(request), Permission.CONVERSATIONS_ERASE, Scope(assistant.pk))
    return assistant


def load_rule(request: HttpRequest, slug: str, pk: int) -> RetentionRule:
    assistant = load_retention(request, slug)
    rule = assistant.retention_rules.select_related("assistant", "environment").filter(pk=pk).first()
    if rule is None:
        raise Http404("There is no such rule, or somebody removed it.")
    return rule


def load_intake(request: HttpRequest, slug: str, *, to_change: bool = False) -> Assistant:
    """The assistant whose intake is looked at. Sources bring events of all its environments, so that seeing one of
    them is not enough."""
    assistant = load_assistant(request, slug)
    _require_intake(request, assistant, to_change=to_change)
    return assistant


def _require_intake(request: HttpRequest, assistant: Assistant, *, to_change: bool) -> None:
    require(signed_in(request), Permission.ENVIRONMENTS_VIEW, Scope(assistant.pk))
    if to_change:
        require(signed_in(request), Permission.ASSISTANTS_MODIFY, Scope(assistant.pk))


def load_source(request: HttpRequest, slug: str, pk: int, *, to_change: bool = False) -> IntakeSource:
    rows = IntakeSource.objects.select_related("environment").filter(pk=pk, removed_at=None)
    source = load_within(request, slug, rows, "There is no such source, or you may not see it.")
    _require_intake(request, source.assistant, to_change=to_change)
    return source


def load_kafka(request: HttpRequest, slug: str, pk: int) -> IntakeSource:
    """A source that people set up, to change it."""
    source = load_source(request, slug, pk, to_change=True)
    if source.kind != IntakeSource.Kind.KAFKA:
        raise Http404("The table of an environment goes with the environment.")
    return source


def assistants_to_bind(user: User, assistant: Assistant) -> QuerySet[Assistant]:
    """Whose events may be bound to a source of `assistant`: of others that the person may change as well."""
    rows = Assistant.objects.visible_to(user).exclude(pk=assistant.pk).order_by("title", "pk")
    keys = [one.pk for one in rows if user.may(Permission.ASSISTANTS_MODIFY, Scope(one.pk))]
    return rows.filter(pk__in=keys)


def heirs(user: User, assistant: Assistant) -> EnvironmentQuerySet:
    """Who can take events of an unknown name over: environments that the person may modify, for their conversations
    are about to change."""
    rows = Environment.objects.visible_to(user).filter(assistant=assistant)
    return rows.filter(pk__in=[one.pk for one in rows if may_modify(user, one)])


def load_compared(request: HttpRequest, slug: str, name: str, *, to_change: bool = False) -> Environment:
    """An environment whose events are compared with its server's: findings name conversations, so it takes the right
    to see those."""
    environment = load_environment(request, slug, name, Permission.CONVERSATIONS_VIEW)
    if to_change:
        require(signed_in(request), modify_permission(environment), scope_of(environment))
    return environment


def load_comparison(environment: Environment, pk: int) -> CompletenessRun:
    run = environment.completeness_runs.select_related("environment__assistant", "incident").filter(pk=pk).first()
    if run is None:
        raise Http404("There is no such run in this environment.")
    return run


def load_incident_of(environment: Environment, pk: int) -> IntakeIncident:
    """One in which events of the environment may have been lost."""
    incident = IntakeIncident.objects.select_related("source").filter(pk=pk).first()
    if incident is None or not concerns(incident, environment):
        raise Http404("There is no such incident of this environment.")
    return incident


def places_to_share(request: HttpRequest, assistant: Assistant) -> EnvironmentQuerySet:
    """Where the viewer may share, also tried models; MissingPermission for whoever may nowhere in this assistant."""
    viewer = signed_in(request)
    if not viewer.may_somewhere(Permission.SHARE, assistant.pk):
        raise MissingPermission(Permission.SHARE)
    return Environment.objects.heard_by(viewer, Permission.SHARE).filter(assistant=assistant)


def targets_to_share(request: HttpRequest, assistant: Assistant) -> list[Target]:
    """What the viewer may make a link for: environments, and models when they may share in the whole assistant. Of
    those the newest, and whichever the request names."""
    deployments = places_to_share(request, assistant).exclude(kind=Environment.Kind.TRIED)
    found = [Target(environment) for environment in deployments]
    visible = _models_to_share(request, assistant).defer("domain")
    asked = {request.GET.get("model", ""), request.POST.get("other_model", "").strip()}
    asked.add(request.POST.get("target", "").removeprefix("model:"))
    models = dict.fromkeys([*visible[:MODELS_OFFERED], *visible.filter(name__in=asked)])
    place = place_of(assistant) if models else None
    return found + [Target(place, model) for model in models if place]


def older_models_to_share(request: HttpRequest, assistant: Assistant) -> list[str]:
    """The next ones after those that are offered, by name; there may be still older ones."""
    names = _models_to_share(request, assistant).values_list("name", flat=True)
    return list(names[MODELS_OFFERED : MODELS_OFFERED + MODELS_NAMED])


def _models_to_share(request: HttpRequest, assistant: Assistant) -> ModelQuerySet:
    viewer = signed_in(request)
    if not viewer.may(Permission.SHARE, Scope(assistant.pk)):
        return Model.objects.none()
    return Model.objects.visible_to(viewer).filter(assistant=assistant)


def load_link(request: HttpRequest, slug: str, pk: int) -> ShareLink:
    assistant = load_assistant(request, slug)
    links = ShareLink.objects.select_related("environment__assistant", "model", "created_by")
    link = links.filter(environment__in=places_to_share(request, assistant), pk=pk).first()
    if link is None:
        raise Http404("There is no such link, or you may not see it.")
    return link
