"""Share your assistant: the links, and their dialogs."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from conversations.chat.links import address_of, change_link, create_link, revoke_link
from conversations.forms.share import ChangeLinkForm, LinkForm
from conversations.loaders import load_link, older_models_to_share, places_to_share, targets_to_share
from conversations.models import ShareLink
from conversations.views.share_rows import Row
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.checks import on_this_machine
from studio.errors import DomainError
from studio.web.dialogs import refuse
from studio.web.htmx import HtmxHttpRequest, go


@require_safe
def share(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    viewer = signed_in(request)
    environments = places_to_share(request, assistant)
    links = ShareLink.objects.filter(environment__assistant=assistant, environment__in=environments)
    related = links.select_related("environment__assistant", "model", "created_by").defer("model__domain")
    counted = related.annotate(count=Count("conversations"))
    rows = [
        Row(
            link,
            link.count,
            viewer.may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk, link.environment_id)),
        )
        for link in counted.order_by("revoked_at", "-id")
    ]
    can_add = bool(targets_to_share(request, assistant))
    return render(request, "conversations/share.html", {"rows": rows, "can_add": can_add})


@require_http_methods(["GET", "HEAD", "POST"])
def new_link(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    targets = targets_to_share(request, assistant)
    wanted = {name: request.GET.get(name, "") for name in ("environment", "model")}
    chosen = next((f"{kind}:{name}" for kind, name in wanted.items() if name), None)
    older = older_models_to_share(request, assistant)
    form = LinkForm(request.POST or None, targets=targets, older=older, initial={"target": chosen})
    if form.is_valid():
        try:
            link = create_link(actor=signed_in(request), **form.wishes)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _opened(link))
            return go(request, reverse("conversations:share-link", args=[slug, link.pk]))
    return _form(request, form, "Share your assistant", "Make the link")


@require_http_methods(["GET", "HEAD", "POST"])
def edit_link(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    link = load_link(request, slug, pk)
    assistant = link.environment.assistant
    targets, older = targets_to_share(request, assistant), older_models_to_share(request, assistant)
    form = ChangeLinkForm.of(link, request.POST or None, targets, older)
    if form.is_valid():
        try:
            change_link(actor=signed_in(request), link=link, **form.wishes)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is saved.")
            return go(request, reverse("conversations:share-link", args=[slug, pk]))
    return _form(request, form, f"Edit {link.name}", "Save")


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    link = load_link(request, slug, pk)
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


def _opened(link: ShareLink) -> str:
    if on_this_machine(address_of(link)):
        return f"{link.name} is open, for now on this machine only."
    return f"{link.name} is open. Copy its address and send it to your guests."


def _form(request: HttpRequest, form: LinkForm, heading: str, label: str) -> HttpResponse:
    context = {"heading": heading, "form": form, "label": label}
    return render(request, "conversations/share_dialog.html", context, status=422 if form.is_bound else 200)
