"""Refusals that a page shows as part of itself, such as a form that says what one may not give."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import get_contextvars, unbind_contextvars

from studio.audit.services import refusals


class RefusalMiddleware:
    """Record what a service refused with studio.errors.Forbidden, after its transaction has ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refused = get_contextvars().get("refused")
        if refused is not None:
            unbind_contextvars("refused")
            refusals.note(request, reason=str(refused))
        return response
