"""Deleting conversations for good: one at once, many after they were counted."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations.loaders import load_conversation, load_erasure, load_readable
from conversations.models import ErasureRun
from conversations.presentation.chosen import filter_in_words
from conversations.presentation.runs import ErasureLine, many
from conversations.services import erasing, erasure_plan, erasure_runs
from conversations.views.conversation_list import filter_query
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.jobs import heartbeat
from studio.web.htmx import HtmxHttpRequest, go

METHODS = ["GET", "HEAD", "POST"]
FOR_GOOD = (
    "for good: from every list and number, with everything noted about it and every prepared file that has it. Sent "
    "again, it is refused. What the person says later begins a new conversation."
)


@require_http_methods(METHODS)
def erase_one(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    conversation = load_conversation(request, slug, pk)
    user = signed_in(request)
    where = Scope(conversation.assistant_id, conversation.environment_id)
    require(user, Permission.CONVERSATIONS_VIEW, where)
    require(user, Permission.CONVERSATIONS_ERASE, where)
    refused = ""
    if request.method == "POST":
        try:
            erasing.erase_conversation(actor=user, conversation=conversation)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"Deleted, with {many(conversation.events_count, 'event')}.")
            query = filter_query(request.GET).urlencode()
            return go(request, f"{reverse('conversations:list', args=[slug])}{f'?{query}' if query else ''}")
    context = {
        "heading": "Delete this conversation",
        "text": f"It goes with its {many(conversation.events_count, 'event')}, {FOR_GOOD}",
        "confirm_label": "Delete",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_http_methods(METHODS)
def erase_many(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Have what the filter shows counted: the first of two steps."""
    assistant = load_readable(request, slug, Permission.CONVERSATIONS_ERASE)
    query = filter_query(request.GET).urlencode()
    if request.method == "POST":
        run = erasure_runs.request_run(actor=signed_in(request), assistant=assistant, query=query)
        return go(request, _page(run))
    chosen = "; ".join(f"{label}: {value}" for label, value in filter_in_words(query))
    which = f"What the list shows ({chosen})" if chosen else "All conversations of this assistant that you may delete"
    context = {
        "heading": "Delete these conversations",
        "text": f"{which}, counted first. Nothing is deleted before you have seen how many they are, and confirmed it.",
        "confirm_label": "Count them",
    }
    return render(request, "components/confirm.html", context)


@require_safe
def erasure_page(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    run = load_erasure(request, slug, pk)
    user = signed_in(request)
    context = {
        "run": run,
        "line": ErasureLine(run),
        "chosen": filter_in_words(run.query),
        "sample": erasure_plan.sample(run) if run.state == ErasureRun.State.COUNTED else [],
        "may_manage": user.may(Permission.CONVERSATIONS_ERASE, Scope(run.assistant_id)),
        "has_worker": not run.is_under_way or heartbeat.live(erasure_runs.WORKER) > 0,
    }
    return render(request, f"conversations/erasure.html{'#live' if request.htmx else ''}", context)


@require_http_methods(METHODS)
def confirm(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """The second step."""
    run = load_erasure(request, slug, pk)
    word = str(run.total)
    refused = "" if run.state == ErasureRun.State.COUNTED else "It was confirmed or dropped already."
    if request.method == "POST" and not refused:
        try:
            if request.POST.get("typed", "").strip() != word:
                messages.warning(request, "Nothing was deleted: that was not the number.")
            else:
                erasure_runs.confirm(actor=signed_in(request), run=run)
            return go(request, _page(run))
        except DomainError as error:
            refused = error.message
    context = {
        "heading": f"Delete {many(run.total)}",
        "text": f"With {many(run.events_total, 'event')}, {FOR_GOOD}",
        "typed": word,
        "confirm_label": "Delete",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@require_POST
def stop(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    run = load_erasure(request, slug, pk)
    try:
        erasure_runs.stop(actor=signed_in(request), run=run)
    except DomainError as error:
        messages.warning(request, error.message)
    return redirect(_page(run))


def _page(run: ErasureRun) -> str:
    return reverse("conversations:erasure", args=[run.assistant.slug, run.pk])
