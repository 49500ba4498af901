"""Service accounts: what acts by API tokens alone, with which roles and which tokens."""

from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from studio.access import scopes
from studio.access.forms.tokens import DescriptionForm, ServiceForm
from studio.access.loaders import load_service, require, signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.access.presentation import grant_lines
from studio.access.rights import grants_of
from studio.access.services import service_accounts
from studio.access.token_lines import list_of
from studio.errors import DomainError
from studio.web.dialogs import form_dialog
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

FORM = ["GET", "HEAD", "POST"]


@require_safe
def service_list(request: HttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    valid = Q(api_tokens__revoked_at=None) & (
        Q(api_tokens__expires_at=None) | Q(api_tokens__expires_at__gt=timezone.now())
    )
    accounts = User.objects.filter(kind=User.Kind.SERVICE).annotate(
        tokens=Count("api_tokens", filter=valid), used_at=Max("api_tokens__last_used_at")
    )
    return render(request, "access/services.html", {"page": page_of(accounts, request)})


@require_http_methods(FORM)
def service_new(request: HtmxHttpRequest) -> HttpResponse:
    require(signed_in(request), Permission.PEOPLE_MODIFY)
    form = ServiceForm(request.POST or None)
    if form.is_valid():
        try:
            account = service_accounts.make_service(actor=signed_in(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error("username", error.message)
        else:
            messages.success(request, f"{account} is here. Give it a role, then a token.")
            return go(request, reverse("access:service", args=[account.pk]))
    return form_dialog(request, form, "New service account", "Make the account")


@require_safe
def service_detail(request: HttpRequest, pk: int) -> HttpResponse:
    account = load_service(request, pk)
    places = scopes.places()
    context = {
        "account": account,
        "grants": grant_lines(grants_of([account])[account.pk], places),
        "tokens": list_of(account, places, shows_all=request.GET.get("show") == "all"),
        "may_read_audit": signed_in(request).may(Permission.AUDIT_VIEW),
    }
    return render(request, "access/service.html", context)


@require_http_methods(FORM)
def service_edit(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    account = load_service(request, pk)
    form = DescriptionForm(request.POST or None, initial={"description": account.description})
    if form.is_valid():
        service_accounts.describe_service(actor=signed_in(request), service=account, **form.cleaned_data)
        messages.success(request, "Saved.")
        return go(request, reverse("access:service", args=[account.pk]))
    return form_dialog(request, form, f"Describe {account}")
