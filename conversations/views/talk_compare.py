"""Side by side: the same message to two targets, each in a conversation of its own."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from conversations.chat.pairing import Pair, paired
from conversations.chat.sessions import own_talks
from conversations.chat.targets import Target
from conversations.chat.turns import Turn
from conversations.chat.why import turns_explained
from conversations.forms.messages import LONGEST_MESSAGE
from conversations.models import TalkSession
from conversations.presentation.explained import Explanation
from conversations.views.talk import addresses_of, likeliest, talkable
from environments.services.trying import place_of
from models_app.loaders import load_assistant
from models_app.models import Assistant, Model
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope

SIDES = ("left", "right")
MODELS_OFFERED = 30


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what is talked to, in which conversation, and what was said there."""

    name: str  # left or right
    target: Target
    session: TalkSession | None
    addresses: dict[str, str]
    turns: list[tuple[Turn, Explanation | None]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What may stand on a side: environments, and the newest models beside one that the address names."""

    environments: list[Target]
    models: list[Target]

    def find(self, asked: str) -> Target | None:
        return next((one for one in (*self.environments, *self.models) if str(one) == asked), None)

    def another(self, taken: list[Target]) -> Target:
        """Where an answer is likeliest, and which is not taken, as long as there is one."""
        environments = [one.environment for one in self.environments]
        free = [one.environment for one in self.environments if one not in taken]
        return Target(likeliest(free or environments)) if environments else self.models[0]


@never_cache
@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    person = signed_in(request)
    offer = _offer(request, person, assistant)
    if not offer.environments and not offer.models:
        if not person.may_somewhere(Permission.TALK, assistant.pk):
            raise MissingPermission(Permission.TALK)
        return render(request, "conversations/talk_nowhere.html")
    chosen: list[Target] = []
    for name in SIDES:
        chosen.append(offer.find(request.GET.get(name, "")) or offer.another(chosen))
    sides = [_side(request, person, name, target) for name, target in zip(SIDES, chosen, strict=True)]
    context = {
        "sides": sides,
        "offer": offer,
        "rows": _rows(sides),
        "longest": LONGEST_MESSAGE,
        "is_alone": len(offer.environments) + len(offer.models) == 1,
    }
    return render(request, "conversations/talk_compare.html", context)


def _offer(request: HttpRequest, person: User, assistant: Assistant) -> Offer:
    environments = [Target(one) for one in talkable(person, assistant)]
    if not person.may(Permission.TALK, Scope(assistant.pk)):
        return Offer(environments, [])
    asked = {request.GET.get(name, "").removeprefix("model:") for name in SIDES}
    visible = Model.objects.visible_to(person).filter(assistant=assistant)
    models = list(dict.fromkeys([*visible[:MODELS_OFFERED], *visible.filter(name__in=asked)]))
    place = place_of(assistant) if models else None
    return Offer(environments, [Target(place, model) for model in models if place is not None])


def _side(request: HttpRequest, person: User, name: str, target: Target) -> Side:
    sender = request.GET.get(f"{name}_talk", "")
    session = own_talks(person, target).filter(sender_id=sender).first() if sender else None
    return Side(name, target, session, addresses_of(target, session), turns_explained(session) if session else [])


def _rows(sides: list[Side]) -> list[dict[str, object]]:
    left, right = ([turn for turn, _explanation in side.turns] for side in sides)
    return [_row(sides, pair) for pair in paired(left, right)]


def _row(sides: list[Side], pair: Pair) -> dict[str, object]:
    """What both were told, what one of them was, or what one said unasked."""
    found = [side.turns[at] if at is not None else None for side, at in zip(sides, pair, strict=True)]
    asked = next(one[0].asked for one in found if one is not None)
    cells = [(side, *(one or (None, None))) for side, one in zip(sides, found, strict=True)]
    return {"asked": asked, "cells": cells, "is_alone": None in pair}
