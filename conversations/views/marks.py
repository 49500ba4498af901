"""Flags and tags of a conversation and of its messages."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from conversations.forms.marks import NoteForm, TagForm
from conversations.loaders import load_conversation, load_event, load_mark
from conversations.models import Conversation
from conversations.services import marks as service
from conversations.services.marks import Target, marks_of, tag_names
from conversations.views.conversation_list import address_in_list
from conversations.views.standing import standing
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, toast


@require_POST
def flag(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    target = _target(request, slug, pk)
    try:
        service.set_flag(actor=signed_in(request), target=target)
    except DomainError as error:
        return _refuse(request, target, error.message)
    return _marked(request, target)


@require_http_methods(["GET", "HEAD", "POST"])
def tag(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """A dialog that asks for the tag."""
    target = _target(request, slug, pk)
    form = TagForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            service.set_tag(actor=signed_in(request), target=target, name=data["name"], note=data["note"])
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            return _marked(request, target)
    context = {
        "heading": "Tag this message" if target.event else "Tag this conversation",
        "form": form,
        "names": tag_names(target.conversation.assistant_id),
    }
    return render(request, "conversations/tag_dialog.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HtmxHttpRequest, slug: str, pk: int, mark_pk: int) -> HttpResponse:
    """A dialog for what one wants to say about a flag or tag."""
    conversation = load_conversation(request, slug, pk, Permission.CONVERSATIONS_FLAG)
    mark = load_mark(conversation, mark_pk)
    form = NoteForm(request.POST or None, initial={"note": mark.note})
    if form.is_valid():
        service.set_note(actor=signed_in(request), mark=mark, note=form.cleaned_data["note"])
        return _marked(request, Target(conversation, mark.event))
    return form_dialog(request, form, f"Note on “{mark.name}”" if mark.name else "Note on the flag")


@require_POST
def unmark(request: HtmxHttpRequest, slug: str, pk: int, mark_pk: int) -> HttpResponse:
    conversation = load_conversation(request, slug, pk, Permission.CONVERSATIONS_FLAG)
    mark = load_mark(conversation, mark_pk)
    service.remove_mark(actor=signed_in(request), mark=mark)
    return _marked(request, Target(conversation, mark.event))


def _target(request: HttpRequest, slug: str, pk: int) -> Target:
    conversation = load_conversation(request, slug, pk, Permission.CONVERSATIONS_FLAG)
    event = request.GET.get("event", "")
    return Target(conversation, load_event(conversation, int(event)) if event.isdecimal() else None)


def _marked(request: HtmxHttpRequest, target: Target) -> HttpResponse:
    """The parts of the page that show marks, each put in its place; without htmx the page."""
    if not request.htmx:
        return redirect(address_in_list(request, target.conversation, target.event))
    conversation = Conversation.objects.select_related("assistant", "reviewed_by").get(pk=target.conversation.pk)
    marks = marks_of(conversation)
    context = {
        **standing(request, conversation, marks),
        "event": target.event,
        "marks": marks.get(target.event.pk, []) if target.event else [],
    }
    response = render(request, "conversations/_marked.html", context)
    response["HX-Reswap"] = "none"  # each part finds its place itself
    response["HX-Retarget"] = "#standing"  # and not the dialog, which would open again
    response["HX-Trigger"] = "marked"
    return response


def _refuse(request: HtmxHttpRequest, target: Target, why: str) -> HttpResponse:
    if request.htmx:
        return toast(HttpResponse(status=204), why, "error")
    messages.warning(request, why)
    return redirect(address_in_list(request, target.conversation, target.event))
