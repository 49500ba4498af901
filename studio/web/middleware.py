"""What every web request passes: its id and address for logs, the content security policy, htmx after sign-out."""

import re
import uuid
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

from studio.web.addresses import client_address
from studio.web.errors import too_many
from studio.web.htmx import HtmxHttpRequest
from studio.web.ratelimit import TooMany

GetResponse = Callable[[HttpRequest], HttpResponse]

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: https:",  # bots answer with pictures from anywhere
        "frame-ancestors {ancestors}",
        # Signing out is a form whose answer leads to the single sign-on, and browsers hold redirects to this as well.
        "form-action {forms}",
        "base-uri 'self'",
        "object-src 'none'",
    )
)


NO_PAGE = "default-src 'none'; frame-ancestors 'none'; sandbox"


def content_security_policy(ancestors: str = "'none'") -> str:
    """`ancestors`: origins of the pages that may embed this one, with spaces between."""
    issuer = urlsplit(settings.OIDC_ISSUER)
    forms = f"'self' {issuer.scheme}://{issuer.netloc}" if issuer.netloc else "'self'"
    return CONTENT_SECURITY_POLICY.format(forms=forms, ancestors=ancestors)


class RequestIdMiddleware:
    """Take the caller's X-Request-Id when it is a plain word, else make one; log with it and answer with it.

    The audit log takes it from the context too, and the address from which the request came.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()  # a thread serves many requests
        structlog.contextvars.bind_contextvars(request_id=request_id, address=client_address(request))
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class NulMiddleware:
    """Refuse addresses with a NUL: PostgreSQL takes none, and a look-up by such a name would be a server error."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("The address holds a NUL character.")
        return self.get_response(request)


class ContentSecurityPolicyMiddleware:
    """Everything the browser runs comes from us; a view may set a policy of its own.

    What is no page (a file that somebody uploaded, JSON) runs nothing at all, even if a browser opened it as one.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        policy = content_security_policy() if is_page else NO_PAGE
        response.headers.setdefault("Content-Security-Policy", policy)
        return response


class TooManyMiddleware:
    """Answer 429 wherever a view gave up because of a rate limit."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return too_many(request, exception) if isinstance(exception, TooMany) else None


class SignedOutHtmxMiddleware:
    """Send the whole browser to the sign-in page where an htmx request would have swapped it into a fragment."""

    def __init__(self, get_response: Callable[[HtmxHttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.htmx or not _leads_to_sign_in(response):
            return response
        # The fragment's own address makes no page: come back to the page that asked for it.
        back = urlencode({REDIRECT_FIELD_NAME: request.htmx.current_url_abs_path or "/"})
        return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{back}")


def _leads_to_sign_in(response: HttpResponse) -> bool:
    location = response.headers.get("Location", "")
    return response.status_code == 302 and urlsplit(location).path == resolve_url(settings.LOGIN_URL)
