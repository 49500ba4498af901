"""One conversation: its page, the panel about a message, and events as Rasa sent them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from conversations import window
from conversations.filters import ConversationFilter
from conversations.loaders import load_conversation
from conversations.models import Conversation, Event
from conversations.naming import model_names
from conversations.paging import Cursor, newer_than, older_than
from conversations.presentation import Item, Message, slots_after, timeline
from conversations.presentation.reading import indented, loaded, moment
from conversations.views.lists import filter_query, visible
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest

ERASING = Permission.CONVERSATIONS_VIEW, Permission.CONVERSATIONS_ERASE
NEIGHBOURS = 60  # events on each side that a message's answer and policy are looked for in


@dataclass(frozen=True, slots=True)
class Panel:
    """What stands beside the conversation: one message explained, and what slots held after its turn."""

    message: Message
    event: Event
    number: int  # of a person's message; 0 of the assistant's
    slots: dict[str, str | None]


@require_safe
def conversation_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    conversation = load_conversation(request, slug, pk)
    shown = _window(conversation, request.GET.get("at", ""))
    names = model_names(conversation.assistant, {*conversation.model_ids, conversation.last_model_id})
    items = timeline(shown.events, names)
    chosen = _chosen(conversation, items, request.GET.get("m", ""))
    context = {
        "conversation": conversation,
        "window": shown,
        "last_event": shown.events[-1] if shown.events else None,
        "items": items,
        "panel": chosen and _panel(chosen, items),
        "all_events": request.GET.get("events") == "all",
        "first_at": moment(conversation.first_event_at),
        "last_at": moment(conversation.last_event_at),
        "model": names.get(conversation.last_model_id, conversation.last_model_id),
        "query": filter_query(request.GET).urlencode(),
        **_neighbours(request, conversation),
        **_links(request, conversation),
    }
    return render(request, "conversations/detail.html", context)


@require_safe
def message_panel(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    """The panel about one message; without htmx the page with that message chosen."""
    conversation = load_conversation(request, slug, pk)
    event = _load_event(conversation, event_pk)
    if not request.htmx:
        page = reverse("conversations:detail", args=[slug, pk])
        return redirect(f"{page}?at={event.pk}&m={event.pk}#e{event.pk}")
    items = timeline(window.around(event, NEIGHBOURS).events)
    return render(request, "conversations/_panel.html", {"panel": _panel(event, items), "conversation": conversation})


@require_safe
def event_json(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    """An event as Rasa sent it: a fragment for htmx, otherwise the stored JSON."""
    event = _load_event(load_conversation(request, slug, pk), event_pk)
    if not request.htmx:
        return HttpResponse(event.payload, content_type="application/json")
    return render(request, "conversations/_event.html", {"event": event, "json": indented(loaded(event.payload))})


def _load_event(conversation: Conversation, pk: int) -> Event:
    event = Event.objects.filter(conversation=conversation, pk=pk).first()
    if event is None:
        raise Http404("There is no such event in this conversation.")
    return event


def _window(conversation: Conversation, at: str) -> window.Window:
    """The events around the one that the address names, else the latest."""
    latest = window.latest(conversation)
    if not at.isdecimal() or not latest.has_earlier or any(event.pk == int(at) for event in latest.events):
        return latest
    return window.around(_load_event(conversation, int(at)), window.AROUND)


def _chosen(conversation: Conversation, items: Sequence[Item], asked: str) -> Event | None:
    """The event of the message to explain: the one asked for, else the last that NLU was unsure of, else the last."""
    if asked.isdecimal():
        return _load_event(conversation, int(asked))
    said = [item for item in items if isinstance(item, Message) and item.is_user]
    doubtful = [item for item in said if item.understanding and item.understanding.level != "sure"]
    best = (doubtful or said)[-1:]
    return _load_event(conversation, best[0].event_id) if best and best[0].event_id else None


def _panel(event: Event, items: Sequence[Item]) -> Panel | None:
    found = (item for item in items if isinstance(item, Message) and item.event_id == event.pk)
    message = next(found, None)
    if message is None:  # not a message, or one of another part of a long conversation
        return None
    number = window.number_of(event) if message.is_user else 0
    return Panel(message, event, number, slots_after(window.slot_events(event)))


def _neighbours(request: HttpRequest, conversation: Conversation) -> dict[str, Conversation | None]:
    """The conversations before and after this one in the list that the viewer came from."""
    filters = ConversationFilter(filter_query(request.GET), assistant=conversation.assistant, viewer=signed_in(request))
    listed = filters.apply(visible(request, conversation.assistant))
    here = Cursor.of(conversation)
    return {"previous": newer_than(listed, here).first(), "next": older_than(listed, here).first()}


def _links(request: HttpRequest, conversation: Conversation) -> dict[str, bool]:
    """Which of the things that the page names have a page that this viewer may open."""
    viewer = signed_in(request)
    environment = Scope(conversation.assistant_id, conversation.environment_id)
    return {
        "may_erase": all(viewer.may(one, environment) for one in ERASING),
        "may_open_model": viewer.may(Permission.MODELS_VIEW, Scope(conversation.assistant_id)),
        "may_open_environment": conversation.environment is not None
        and conversation.environment.removed_at is None
        and viewer.may(Permission.ENVIRONMENTS_VIEW, environment),
    }
