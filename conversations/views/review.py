"""What one does with a conversation while reading: read or unread, reviewed or saved for later, and back again."""

import math

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from conversations.loaders import load_conversation
from conversations.models import Conversation
from conversations.services import review as service
from conversations.services.review import Reviewed
from conversations.views.conversation_list import filter_query
from conversations.views.neighbours import list_of, neighbours
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError

_DONE = {"reviewed": "Marked as reviewed.", "saved": "Saved for later.", "": "Not reviewed any more."}


@require_POST
def read(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The page says what it has shown, once somebody looks at it; without `until` the conversation is unread again."""
    conversation = load_conversation(request, slug, pk)
    if "until" not in request.POST:
        service.mark_unread(actor=signed_in(request), conversation=conversation)
        return _answer(request, conversation, {"text": "Marked as unread."})
    try:
        until = float(request.POST["until"])
    except ValueError:
        until = math.nan
    if math.isnan(until):
        raise BadRequest("`until` is the time of an event.")
    service.mark_read(actor=signed_in(request), conversation=conversation, until=until)
    return HttpResponse(status=204)


@require_POST
def review(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """JSON for the page's script, which has moved on already; otherwise the next conversation of the list."""
    conversation = load_conversation(request, slug, pk, Permission.CONVERSATIONS_FLAG)
    try:
        done = service.review(actor=signed_in(request), conversation=conversation, state=request.POST.get("state", ""))
    except DomainError as error:
        return _refuse(request, conversation, error)
    return _answer(request, conversation, _json(done), moves_on=bool(done.state))


@require_POST
def undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    conversation = load_conversation(request, slug, pk, Permission.CONVERSATIONS_FLAG)
    try:
        done = service.undo_review(
            actor=signed_in(request), conversation=conversation, undo=request.POST.get("undo", "")
        )
    except DomainError as error:
        return _refuse(request, conversation, error)
    return _answer(request, conversation, _json(done) | {"text": "Undone."})


def _json(done: Reviewed) -> dict[str, str]:
    return {"state": done.state, "undo": done.undo, "text": _DONE[done.state]}


def _answer(
    request: HttpRequest, conversation: Conversation, data: dict[str, str], *, moves_on: bool = False
) -> HttpResponse:
    if _is_script(request):
        return JsonResponse(data)
    messages.success(request, data["text"])
    onward = neighbours(list_of(request, conversation), conversation).next if moves_on else None
    return _to_page(request, conversation, onward or conversation.pk)


def _refuse(request: HttpRequest, conversation: Conversation, error: DomainError) -> HttpResponse:
    if _is_script(request):
        return JsonResponse({"error": error.message, "code": error.code}, status=409)
    messages.warning(request, error.message)
    return _to_page(request, conversation, conversation.pk)


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _to_page(request: HttpRequest, conversation: Conversation, pk: int) -> HttpResponse:
    query = filter_query(request.GET).urlencode()
    page = reverse("conversations:detail", args=[conversation.assistant.slug, pk])
    return redirect(f"{page}?{query}" if query else page)
