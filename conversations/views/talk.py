"""Talk: speak with the assistant of an environment, or with any one of its models."""

import json
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from conversations.chat import once, typed
from conversations.chat.actions import may_fail
from conversations.chat.readiness import trouble_of
from conversations.chat.sending import MayBeHeard, NotAnswered, say
from conversations.chat.sessions import begin_talk, own_talk, own_talks
from conversations.chat.talking import prepare
from conversations.chat.targets import Kind, Target, target_of
from conversations.chat.transcript import conversation_of, news_since
from conversations.chat.turns import grouped
from conversations.forms.messages import LONGEST_MESSAGE, MessageForm
from conversations.loaders import load_target
from conversations.models import Conversation, TalkSession
from conversations.views import messages
from environments.models import Environment
from environments.rights import scope_of
from environments.services.address import WAKING
from models_app.loaders import load_assistant, rights_on_models
from models_app.models import Assistant, Model
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission
from studio.errors import DomainError
from studio.jobs import heartbeat
from studio.web.ratelimit import TooMany

RECENT = 12
ASKED = ("news", "why", "rewind", "actions")  # of a conversation that has begun
# Of what cannot be carried out now; everything else is our caller’s fault.
_STATUS = {
    "invalid": 422,
    "timeout": 504,
    "lost": 504,
    "twice": 409,
    "no-server": 503,
    "no-slot": 503,
    WAKING: 202,
}


@require_safe
def talk(request: HttpRequest, slug: str) -> HttpResponse:
    """To the environment that `?environment=` names, else to the one where an answer is most likely."""
    assistant = load_assistant(request, slug)
    environments = talkable(signed_in(request), assistant)
    if not environments:
        if not signed_in(request).may_somewhere(Permission.TALK, assistant.pk):
            raise MissingPermission(Permission.TALK)
        return render(request, "conversations/talk_nowhere.html")
    asked = request.GET.get("environment")
    chosen = next((one for one in environments if one.name == asked), None) or likeliest(environments)
    return redirect("conversations:talk-in", slug, chosen.name)


def talkable(person: User, assistant: Assistant) -> list[Environment]:
    held = Environment.objects.with_permission(person, Permission.TALK)
    return list(held.filter(assistant=assistant).select_related("assistant", "tag__model"))


def likeliest(environments: list[Environment]) -> Environment:
    return max(environments, key=lambda one: (one.kind != Environment.Kind.UNSET, live_in(one) is not None))


def live_in(environment: Environment) -> Model | None:
    return Target(environment).answering


def _typed(model: Model | None) -> dict[str, object]:
    """What the composer offers to whoever types an intent."""
    return {"intents": typed.intents_of(model), "entity_names": json.dumps(typed.entities_of(model))}


@never_cache
@require_safe
def talk_page(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str = "") -> HttpResponse:
    """A new conversation, or one that goes on. Nothing is stored before the first word."""
    target = load_target(request, slug, kind, name)
    person = signed_in(request)
    session = own_talks(person, target).filter(sender_id=sender).first()
    if sender and session is None:
        return _others(request, target, sender)
    turns, conversation = messages.history(session) if session else ([], None)
    context = {
        "target": target,
        "environment": target.environment,
        "model": target.model,
        "environments": talkable(person, target.environment.assistant),
        "live": live_in(target.environment),
        "session": session,
        "stretches": grouped(turns),
        "after": messages.place_of(turns),
        "addresses": addresses_of(target, session),
        "begin_url": target.url("in"),
        "conversation_page": _conversation_page(request, conversation),
        "recent": _recent(person, target),
        "longest": LONGEST_MESSAGE,
        "may_miss_actions": may_fail(target),
        **_typed(target.answering),
        **rights(person, target),
        **rights_on_models(request, target.environment.assistant),
    }
    return render(request, "conversations/talk.html", context)


def _others(request: HttpRequest, target: Target, sender: str) -> HttpResponseRedirect:
    """Somebody else's conversation can be read by who may view it, and is gone on with by nobody."""
    assistant = target.environment.assistant
    visible = Conversation.objects.visible_to(signed_in(request))
    found = visible.filter(assistant=assistant, sender_id=sender).first()
    if found is None:
        raise Http404("There is no such conversation, or you may not see it.")
    return redirect("conversations:detail", assistant.slug, found.pk)


def _recent(person: User, target: Target) -> list[tuple[TalkSession, str]]:
    rows: QuerySet[TalkSession] = own_talks(person, target).exclude(first_text="")[:RECENT]
    return [(row, target.url("with", row.sender_id)) for row in rows]


def rights(person: User, target: Target) -> dict[str, object]:
    environment = target.environment
    may_see = target.kind is Kind.ENVIRONMENT and person.may(Permission.ENVIRONMENTS_VIEW, scope_of(environment))
    return {
        "environment_page": _page(environment, "detail") if may_see else "",
        "connection_page": _page(environment, "connection") if may_see else "",
        "share_url": _share_url(target) if person.may(Permission.SHARE, scope_of(environment)) else "",
    }


def _share_url(target: Target) -> str:
    """The dialog of a new link, with this target chosen."""
    address = reverse("conversations:share-new", args=[target.environment.assistant.slug])
    return f"{address}?{urlencode({target.kind.word: target.name})}"


def _page(environment: Environment, which: str) -> str:
    """An environment's page, or its checklist; empty where the installation has no such page."""
    try:
        return reverse(f"environments:{which}", args=[environment.assistant.slug, environment.name])
    except NoReverseMatch:
        return ""


@require_safe
def server_state(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """What stands in the way of talking, as a fragment that the page loads after itself."""
    target = load_target(request, slug, Kind.ENVIRONMENT, name)
    context = {"trouble": trouble_of(target), **rights(signed_in(request), target)}
    return render(request, "conversations/_server_state.html", context)


@require_POST
def say_something(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str = "") -> JsonResponse:
    person = signed_in(request)
    session = load_own(request, slug, kind, name, sender) if sender else None
    target = target_of(session) if session else load_target(request, slug, kind, name)
    form = MessageForm(request.POST)
    if not form.is_valid():
        return messages.problem_json(form.problem, "invalid", 422)
    claim = f"person:{person.pk}", form.cleaned_data["nonce"]
    try:
        prepare(person, target, form.cleaned_data["text"])
        known = once.claim(*claim)
    except TooMany as error:
        return messages.problem_json(error.message, "too-many", 429)
    except DomainError as error:
        return messages.problem_json(error.message, error.code, _STATUS.get(error.code, 409))
    if known is not None:
        return JsonResponse({**known, "repeated": True})
    with once.or_else(once.release, *claim):
        session = session or begin_talk(actor=person, target=target)
    with once.or_else(once.lose, *claim):
        return _say(request, session, form.cleaned_data["text"], claim)


def load_own(request: HttpRequest, slug: str, kind: Kind, name: str, sender: str) -> TalkSession:
    """404 also for somebody else's conversation."""
    person = signed_in(request)
    session = own_talk(person, slug, kind, name, sender)
    if session is None or not person.may(Permission.TALK, scope_of(session.environment)):
        load_target(request, slug, kind, name)  # refuses in its own words
        raise Http404("There is no such conversation, or it is somebody else's.")
    return session


def _say(request: HttpRequest, session: TalkSession, text: str, claim: tuple[str, str]) -> JsonResponse:
    addresses = addresses_of(target_of(session), session)
    try:
        turn, seconds = say(session=session, text=text)
    except DomainError as error:
        (once.lose if isinstance(error, MayBeHeard) else once.release)(*claim)
        status = _STATUS.get(error.code, 502 if isinstance(error, NotAnswered) else 409)
        link = _where_to_look(request, session, error)
        return messages.problem_json(error.message, error.code, status, addresses=addresses, link=link)
    facts = {**messages.answer_json(turn, seconds, text), "addresses": addresses}
    once.keep(*claim, facts)
    return messages.AnswerJson(facts, session, text)


def _where_to_look(request: HttpRequest, session: TalkSession, error: DomainError) -> dict[str, str] | None:
    """What was heard stands in the conversation; what is wrong with the server on its environment's page."""
    target = target_of(session)
    if isinstance(error, MayBeHeard):
        return {"url": target.url("with", session.sender_id), "label": "Look at the conversation"}
    page = rights(signed_in(request), target)["environment_page"]
    return {"url": str(page), "label": f"Open {target.name}"} if page else None


@require_safe
def news(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str) -> JsonResponse:
    """Turns whose events came since `after`; the whole conversation anew when something was taken back since. With
    `late`, which the page says when they are overdue, also why."""
    session = load_own(request, slug, kind, name, sender)
    conversation = conversation_of(session)
    page = _conversation_page(request, conversation)
    turns, rewound = news_since(conversation, messages.after_of(request)) if conversation else ([], False)
    if rewound:
        whole, _ = messages.history(session)
        return JsonResponse({"turns": [], "conversation": page, **messages.log_json(whole)})
    facts: messages.Json = {"turns": [messages.turn_json(turn) for turn in turns], "conversation": page}
    if "late" in request.GET:
        facts["late"] = _why_late(request, session)
    return JsonResponse(facts)


def _why_late(request: HttpRequest, session: TalkSession) -> str:
    """What to say, and do, about events that do not come."""
    context = {"is_taken": heartbeat.live("ingest") > 0, **rights(signed_in(request), target_of(session))}
    return render_to_string("conversations/_late.html", context)


def addresses_of(target: Target, session: TalkSession | None) -> dict[str, str]:
    """Where the page's script asks: of a new conversation, or of one that has begun."""
    if session is None:
        return {"say": target.url("say-first"), "page": "", **dict.fromkeys(ASKED, "")}
    begun = {what: target.url(what, session.sender_id) for what in ("say", *ASKED)}
    return {**begun, "page": target.url("with", session.sender_id)}


def _conversation_page(request: HttpRequest, conversation: Conversation | None) -> str:
    """Empty until it has events, and for whoever may not see it."""
    if conversation is None:
        return ""
    if not Conversation.objects.visible_to(signed_in(request)).filter(pk=conversation.pk).exists():
        return ""
    return reverse("conversations:detail", args=[conversation.assistant.slug, conversation.pk])
