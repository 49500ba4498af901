"""The panel beside a Talk: why the assistant answered as it did."""

import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from conversations import window
from conversations.chat.actions import trouble_after
from conversations.chat.targets import Kind, target_of
from conversations.chat.why import why
from conversations.correcting import correcting
from conversations.views import messages
from conversations.views.standing import find_in_data
from conversations.views.talk import load_own, rights
from studio.access.loaders import signed_in


@never_cache
@require_safe
def why_panel(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str) -> HttpResponse:
    """A fragment about the turn that `turn` names; without it about the last, which ended after `after`."""
    session = load_own(request, slug, kind, name, sender)
    asked = request.GET.get("turn", "")
    found = why(session, asked, messages.after_of(request))
    if request.GET.get("brief"):
        context = {"turn": found.turn, "place": found.place} if found else None
        return render(request, "conversations/_decision.html", context) if context else HttpResponse(status=204)
    conversation = found and found.conversation
    viewer = signed_in(request)
    context = {
        "find_in_data": find_in_data(viewer, session.environment.assistant),
        "why": found,
        "asked": asked,
        "took": _seconds(request.GET.get("took", "")),
        "shown": window.SHOWN,
        "correcting": correcting(viewer, conversation, found.event) if found and conversation else None,
    }
    return render(request, "conversations/_why.html", context)


@never_cache
@require_safe
def action_trouble(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str) -> HttpResponse:
    """What is said in the chat when the turn after `after` needed an action server that is not there; else nothing."""
    session = load_own(request, slug, kind, name, sender)
    text = trouble_after(session, messages.after_of(request))
    if not text:
        return HttpResponse(status=204)
    context = {"text": text, **rights(signed_in(request), target_of(session))}
    return render(request, "conversations/_action_trouble.html", context)


def _seconds(text: str) -> float | None:
    """What the page measured, if it is a time at all."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 3600 else None
