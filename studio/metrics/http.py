"""Every request by the template of its address: how many, how they ended, how long they took."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from studio.metrics import counting

BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATIC, UNMATCHED = "static", "unmatched"

_requests = counting.counter(
    "parley_http_requests_total", "Requests answered by the web.", ("route", "method", "status")
)
_seconds = counting.histogram(
    "parley_http_request_duration_seconds",
    "Time until an answer began; a download goes on after that.",
    ("route", "method"),
    BUCKETS,
)


class MetricsMiddleware:
    """Outermost, so that it sees what every other middleware answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        route, method = route_of(request), request.method if request.method in METHODS else "other"
        counting.count(_requests, route, str(method), str(response.status_code))
        counting.took(_seconds, seconds, route, str(method))
        return response


def name_route(request: HttpRequest, route: str) -> None:
    """For a middleware that answers an address of its own."""
    request.metrics_route = route  # type: ignore[attr-defined]


def route_of(request: HttpRequest) -> str:
    """The template of the address, such as `/a/<slug:slug>/models/`, never the address itself."""
    named: str | None = getattr(request, "metrics_route", None)
    if named is not None:
        return named
    if request.resolver_match is not None:
        return f"/{request.resolver_match.route}"
    return STATIC if request.path_info.startswith(settings.STATIC_URL) else UNMATCHED
