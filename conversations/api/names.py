"""Which intents, actions, entities, policies, slots and channels occur in conversations: what filters can be given."""

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from conversations.loaders import load_readable
from conversations.models import Term
from conversations.search import terms
from conversations.services.marks import tag_names
from models_app.api.paths import of_each
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.api.paging import Paging, cut, page

router = Router(tags=["conversations"])


def _names(request: HttpRequest, response: HttpResponse, slug: str, kind: str, paging: Paging) -> list[str]:
    """Known to whoever may read all conversations of the assistant; others are offered none, as on the page."""
    assistant = load_readable(request, slug)
    known = Term.objects.filter(assistant=assistant, kind=kind)
    if not signed_in(request).may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk)):
        known = known.none()
    return [one.value for one in page(request, response, known, paging, by="value")]


@of_each(
    router.get,
    "/conversationIntents",
    summary="Intents that occur in conversations",
    url_name="conversation-intents",
    response=list[str],
)
def intents(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.INTENT, paging)


@of_each(
    router.get,
    "/conversationActions",
    summary="Actions that occur in conversations",
    url_name="conversation-actions",
    response=list[str],
)
def actions(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.ACTION, paging)


@of_each(
    router.get,
    "/conversationEntities",
    summary="Entities that occur in conversations",
    url_name="conversation-entities",
    response=list[str],
)
def entities(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.ENTITY, paging)


@of_each(
    router.get,
    "/conversationPolicies",
    summary="Policies that occur in conversations",
    url_name="conversation-policies",
    response=list[str],
)
def policies(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.POLICY, paging)


@of_each(
    router.get,
    "/conversationSlots",
    summary="Slots that occur in conversations",
    url_name="conversation-slots",
    response=list[str],
)
def slots(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.SLOT, paging)


@of_each(
    router.get,
    "/conversationChannels",
    summary="Channels that occur in conversations",
    url_name="conversation-channels",
    response=list[str],
)
def channels(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    return _names(request, response, slug, terms.CHANNEL, paging)


@of_each(
    router.get,
    "/conversationTags",
    summary="Tags that conversations have",
    url_name="conversation-tags",
    response=list[str],
)
def tags(request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]) -> list[str]:
    assistant = load_readable(request, slug)
    may = signed_in(request).may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk))
    return list(cut(request, response, tag_names(assistant.pk) if may else [], paging))
