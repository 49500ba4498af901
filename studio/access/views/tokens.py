"""API tokens: one's own, and those of service accounts for whoever manages people."""

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from studio.access import scopes
from studio.access.forms.tokens import RotateForm, TokenForm
from studio.access.loaders import load_service, load_token, signed_in
from studio.access.models import ApiToken, User
from studio.access.services import tokens as service
from studio.access.token_lines import token_lines
from studio.errors import DomainError
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

FORM = ["GET", "HEAD", "POST"]


@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    shows_all = request.GET.get("show") == "all"
    own = person.api_tokens.all()
    page = page_of(own if shows_all else own.filter(service.live()), request)
    context = {
        "page": page,
        "lines": token_lines(page.rows, scopes.places()),
        "shows_all": shows_all,
        "ended": own.exclude(service.live()).count(),
        "may_make": any(permissions for _, permissions in person.granted),
    }
    return render(request, "access/tokens.html", context)


@never_cache
@require_http_methods(FORM)
def token_new(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    return _new(request, person, reverse("access:tokens"))


@never_cache
@require_http_methods(FORM)
def service_token_new(request: HttpRequest, pk: int) -> HttpResponse:
    account = load_service(request, pk)
    return _new(request, account, reverse("access:service", args=[account.pk]))


def _new(request: HttpRequest, user: User, back: str) -> HttpResponse:
    """The token is in the answer to a valid form and nowhere else."""
    form = TokenForm(request.POST or None, maker=signed_in(request), places=scopes.places())
    if form.is_valid():
        try:
            return _made(request, _make(request, user, form), back)
        except DomainError as error:
            form.add_error(None, error.message)
    context = {"form": form, "account": user, "is_own": user == request.user, "back": back}
    return render(request, "access/token_new.html", context, status=422 if form.is_bound else 200)


def _make(request: HttpRequest, user: User, form: TokenForm) -> service.Made:
    scope, label = form.scope
    return service.make(
        actor=signed_in(request),
        user=user,
        name=form.cleaned_data["name"],
        permissions=form.cleaned_data["permissions"],
        scope=scope,
        scope_label=label,
        expires_at=form.expires_at,
    )


def _made(request: HttpRequest, made: service.Made, back: str, old_ends: datetime | None = None) -> HttpResponse:
    context = {
        "heading": f"Your token {made.row.name}" if made.row.user == request.user else f"Token {made.row.name}",
        "token": made.row,
        "text": made.text,
        "curl": f"curl -H 'Authorization: Bearer {made.text}' {settings.PUBLIC_URL}/api/user",
        "old_ends": old_ends,
        "back": back,
    }
    template = "access/token_made_dialog.html" if old_ends else "access/token_made.html"
    return render(request, template, context)


@require_http_methods(FORM)
def token_revoke(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    token = load_token(request, pk=pk)
    refused = ""
    if request.method == "POST":
        try:
            service.revoke(actor=signed_in(request), token=token)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"The token {token.name} is revoked.")
            return go(request, _page_of(token, signed_in(request)))
    context = {
        "heading": f"Revoke the token {token.name}",
        "text": "Whatever uses it is refused from now on. A revoked token cannot be brought back.",
        "confirm_label": "Revoke",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if refused else 200)


@never_cache
@require_http_methods(FORM)
def token_rotate(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    token = load_token(request, pk=pk, for_secret=True)
    form = RotateForm(request.POST or None)
    if form.is_valid():
        try:
            made = service.rotate(actor=signed_in(request), token=token, overlap=form.hours)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            token.refresh_from_db(fields=["expires_at"])
            return _made(request, made, _page_of(token, signed_in(request)), token.expires_at)
    context = {"heading": f"Rotate the token {token.name}", "form": form}
    return render(request, "access/token_rotate.html", context, status=422 if form.is_bound else 200)


def _page_of(token: ApiToken, viewer: User) -> str:
    """Where the viewer sees this token."""
    if token.user_id == viewer.pk:
        return reverse("access:tokens")
    if token.user.kind == User.Kind.SERVICE:
        return reverse("access:service", args=[token.user_id])
    return reverse("access:person", args=[token.user_id])
