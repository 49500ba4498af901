"""One conversation: its page, the panel about a message, and events as Rasa sent them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from conversations import window
from conversations.correcting import correcting
from conversations.loaders import load_conversation, load_event
from conversations.models import Conversation, Correction, Event, Mark, Rating
from conversations.naming import model_names
from conversations.presentation import Item, Machinery, Message, timeline
from conversations.presentation.explained import Explanation, explained
from conversations.presentation.reading import indented, loaded, moment
from conversations.search.snippets import first_said, snippets
from conversations.services.corrections import corrections_of
from conversations.services.marks import marks_of
from conversations.services.ratings import ratings_of
from conversations.views.conversation_list import address_in_list, filter_query
from conversations.views.neighbours import list_of, neighbours
from conversations.views.standing import standing
from environments.models import Environment
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest

ERASING = Permission.CONVERSATIONS_VIEW, Permission.CONVERSATIONS_ERASE
NEIGHBOURS = 60  # events on each side that a message's answer and policy are looked for in


@dataclass(frozen=True, slots=True)
class Panel:
    """What stands beside the conversation: one message, and its turn explained."""

    message: Message
    event: Event
    number: int  # of a person's message; 0 of the assistant's
    turn: Explanation
    model: str  # that answered; its name where people know one
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Folding:
    """Which events between the messages are unfolded (none, all, or those of one kind), and how many there are."""

    kinds: list[tuple[str, int]]
    chosen: str  # empty, `all`, or a kind

    @classmethod
    def of(cls, items: Sequence[Item], asked: str) -> Self:
        kinds: Counter[str] = Counter()
        for item in items:
            if isinstance(item, Machinery):
                kinds.update(dict(item.counts))
        return cls(kinds.most_common(), asked if asked == "all" or asked in kinds else "")

    def applied(self, items: Sequence[Item]) -> list[Item]:
        """With events of the chosen kind alone between the messages."""
        if self.chosen in ("", "all"):
            return list(items)
        chosen = ((item, item.of(self.chosen) if isinstance(item, Machinery) else None) for item in items)
        return [steps or item for item, steps in chosen if steps is None or steps.steps]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.kinds)


@require_safe
def conversation_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    conversation = load_conversation(request, slug, pk)
    viewer = signed_in(request)
    filters = list_of(request, conversation)
    by_key = request.GET.get("m", "")
    last = window.latest(conversation)
    place = request.GET.get("at", "") or ("" if by_key else _found(conversation, last, filters.text))
    shown = window.at(conversation, place, last)
    names = model_names(conversation.assistant, {*conversation.model_ids, conversation.last_model_id})
    read: float | None = conversation.read_until  # type: ignore[attr-defined]  # as the loader brings it
    items = timeline(shown.events, names, several_models=len(conversation.model_ids) > 1, read_until=read)
    marks = marks_of(conversation)
    ratings, loose_ratings = ratings_of(conversation)
    corrections = corrections_of(conversation)
    _attach(marks, corrections, ratings, items)
    folding = Folding.of(items, request.GET.get("events", ""))
    chosen = _chosen(conversation, shown, items, by_key=by_key, place=place)
    context = {
        "window": shown,
        "place": place,
        "last_event": shown.events[-1] if shown.events else None,
        "items": folding.applied(items),
        "panel": chosen and _panel(chosen, shown, items, names, marks),
        "correcting": correcting(viewer, conversation, chosen, corrections),
        "folding": folding,
        "until": repr(shown.events[-1].timestamp if shown.events else conversation.last_event_at),
        "first_at": moment(conversation.first_event_at),
        "last_at": moment(conversation.last_event_at),
        "model": names.get(conversation.last_model_id, conversation.last_model_id),
        "query": filter_query(request.GET).urlencode(),
        "neighbours": neighbours(filters, conversation),
        "loose_ratings": loose_ratings,
        **standing(request, conversation, marks),
        **_links(request, conversation),
    }
    return render(request, "conversations/detail.html", context)


@require_safe
def message_panel(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    """The panel about one message; without htmx the page with that message chosen."""
    conversation = load_conversation(request, slug, pk)
    event = load_event(conversation, event_pk)
    if not request.htmx:
        return redirect(address_in_list(request, conversation, event))
    shown = window.around(event, NEIGHBOURS)
    items = timeline(shown.events)
    marks = marks_of(conversation)
    names = model_names(conversation.assistant, {event.model_id})
    context = {
        "panel": _panel(event, shown, items, names, marks),
        "correcting": correcting(signed_in(request), conversation, event),
        **standing(request, conversation, marks),
    }
    return render(request, "conversations/_panel.html", context)


@require_safe
def event_json(request: HtmxHttpRequest, slug: str, pk: int, event_pk: int) -> HttpResponse:
    """An event as Rasa sent it: a fragment for htmx, otherwise the stored JSON."""
    event = load_event(load_conversation(request, slug, pk), event_pk)
    if not request.htmx:
        return HttpResponse(event.payload, content_type="application/json")
    return render(request, "conversations/_event.html", {"event": event, "json": indented(loaded(event.payload))})


def _found(conversation: Conversation, last: window.Window, text: str) -> str:
    """The key of the message that the list was searched for; empty when there is none."""
    if last.is_whole:
        event = first_said(last.events, text)
        return str(event.pk) if event else ""
    snippet = snippets([conversation], text).get(conversation.pk)
    return str(snippet.event_id) if snippet else ""


def _chosen(
    conversation: Conversation, shown: window.Window, items: Sequence[Item], *, by_key: str, place: str
) -> Event | None:
    """The event of the message to explain: the one asked for, by key or as the place to show, else the last that NLU
    was unsure of, else the last that a person wrote, else the last."""
    events = {event.pk: event for event in shown.events}
    if by_key.isdecimal():
        return events.get(int(by_key)) or load_event(conversation, int(by_key))
    messages = [item for item in items if isinstance(item, Message) and item.event_id]
    if any(str(item.event_id) == place for item in messages):
        return events[int(place)]
    said = [item for item in messages if item.is_user]
    doubtful = [item for item in said if item.understanding and item.understanding.level != "sure"]
    best = (doubtful or said or messages)[-1:]
    return events[best[0].event_id] if best and best[0].event_id else None


def _panel(
    event: Event,
    shown: window.Window,
    items: Sequence[Item],
    names: Mapping[str, str],
    marks: Mapping[int | None, list[Mark]],
) -> Panel | None:
    found = (item for item in items if isinstance(item, Message) and item.event_id == event.pk)
    message = next(found, None)
    if message is None:  # not a message, or one of another part of a long conversation
        return None
    turn = shown.turn(event)
    number = turn.number if message.is_user else 0
    model = names.get(event.model_id, event.model_id)
    return Panel(message, event, number, explained(turn.before, turn.within), model, marks.get(event.pk, []))


def _attach(
    marks: Mapping[int | None, list[Mark]],
    corrections: Mapping[int, Correction],
    ratings: Mapping[int, Rating],
    items: Sequence[Item],
) -> None:
    for item in items:
        if isinstance(item, Message) and item.event_id:
            item.marks, item.correction = marks.get(item.event_id, []), corrections.get(item.event_id)
            item.rating = ratings.get(item.event_id)


def _links(request: HttpRequest, conversation: Conversation) -> dict[str, bool]:
    """Which of the things that the page names have a page that this viewer may open."""
    viewer = signed_in(request)
    environment = Scope(conversation.assistant_id, conversation.environment_id)
    return {
        "may_erase": all(viewer.may(one, environment) for one in ERASING),
        "may_open_model": viewer.may(Permission.MODELS_VIEW, Scope(conversation.assistant_id)),
        "may_open_environment": conversation.environment is not None
        and conversation.environment.removed_at is None
        and conversation.environment.kind != Environment.Kind.TRIED
        and viewer.may(Permission.ENVIRONMENTS_VIEW, environment),
    }
