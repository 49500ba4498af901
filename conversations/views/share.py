"""Share your assistant: the links, and their dialogs."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from conversations.chat.links import LinkState, address_of, change_link, create_link, revoke_link, state_of
from conversations.forms import ChangeLinkForm, LinkForm, refuse
from conversations.models import ShareLink
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.permissions import MissingPermission, Permission, Scope
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go

_STATUS = {
    LinkState.OPEN: ("running", "Open"),
    LinkState.OFF: ("silent", "Off"),
    LinkState.EXPIRED: ("silent", "Ended"),
    LinkState.REVOKED: ("silent", "Revoked"),
    LinkState.GONE: ("warning", "Environment removed"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One link of the list. `address` is empty once it can never work again."""

    link: ShareLink
    conversations: int
    may_read: bool

    @property
    def state(self) -> LinkState:
        return state_of(self.link)

    @property
    def key(self) -> str:
        return str(self.link.pk)

    @property
    def status(self) -> tuple[str, str]:
        return _STATUS[self.state]

    @property
    def address(self) -> str:
        return "" if self.state in (LinkState.REVOKED, LinkState.GONE) else address_of(self.link)


@require_safe
def share(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    viewer = signed_in(request)
    environments = _environments(request, assistant)
    links = ShareLink.objects.filter(environment__assistant=assistant, environment__in=environments)
    counted = links.select_related("environment__assistant", "created_by").annotate(count=Count("conversations"))
    rows = [
        Row(
            link,
            link.count,
            viewer.may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk, link.environment_id)),
        )
        for link in counted.order_by("revoked_at", "-id")
    ]
    return render(request, "conversations/share.html", {"rows": rows, "can_add": bool(environments)})


@require_http_methods(["GET", "HEAD", "POST"])
def new_link(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    environments = _environments(request, assistant)
    wanted = environments.filter(name=request.GET.get("environment", "")).first()
    form = LinkForm(request.POST or None, environments=environments, initial={"environment": wanted})
    if form.is_valid():
        data = form.cleaned_data
        try:
            create_link(actor=signed_in(request), **data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{data['name']} is open. Copy its address and send it to your guests.")
            return go(request, reverse("conversations:share", args=[slug]))
    return _form(request, form, "Share your assistant", "Make the link")


@require_http_methods(["GET", "HEAD", "POST"])
def edit_link(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    link = _load(request, slug, pk)
    form = ChangeLinkForm.of(link, request.POST or None, _environments(request, link.environment.assistant))
    if form.is_valid():
        try:
            change_link(actor=signed_in(request), link=link, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is saved.")
            return go(request, reverse("conversations:share", args=[slug]))
    return _form(request, form, f"Edit {link.name}", "Save")


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    link = _load(request, slug, pk)
    refused = ""
    if request.method == "POST":
        try:
            revoke_link(actor=signed_in(request), link=link)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"{link.name} is revoked.")
            return go(request, reverse("conversations:share", args=[slug]))
    context = {
        "heading": f"Revoke {link.name}",
        "text": "Its address stops working at once and for good, also for guests who are chatting now. Their "
        "conversations stay. To pause it instead, edit the link and switch it off.",
        "confirm_label": "Revoke the link",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


def _environments(request: HttpRequest, assistant: Assistant) -> EnvironmentQuerySet:
    """Where the viewer may share; PermissionDenied for whoever may nowhere in this assistant."""
    viewer = signed_in(request)
    if not viewer.may_somewhere(Permission.SHARE, assistant.pk):
        raise MissingPermission(Permission.SHARE)
    return Environment.objects.with_permission(viewer, Permission.SHARE).filter(assistant=assistant)


def _load(request: HttpRequest, slug: str, pk: int) -> ShareLink:
    assistant = load_assistant(request, slug)
    links = ShareLink.objects.select_related("environment__assistant")
    link = links.filter(environment__in=_environments(request, assistant), pk=pk).first()
    if link is None:
        raise Http404("There is no such link, or you may not see it.")
    return link


def _form(request: HttpRequest, form: LinkForm, heading: str, label: str) -> HttpResponse:
    context = {"heading": heading, "form": form, "label": label}
    return render(request, "conversations/share_form.html", context, status=422 if form.is_bound else 200)
