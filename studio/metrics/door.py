"""`GET /metrics`: who may read it, and what they get."""

import hmac
import ipaddress
import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from studio.metrics import counting, readings
from studio.web.addresses import client_address

KEPT_SECONDS = 1.0
CLOSED = (
    "Metrics are closed. Set PARLEY_METRICS_TOKEN, which Prometheus shows as bearer token, or PARLEY_METRICS_ALLOW, "
    "the addresses it may come from (docs/monitoring.md).\n"
)
NO_TOKEN = "The bearer token is missing, or is not PARLEY_METRICS_TOKEN.\n"  # noqa: S105 - no token, but a sentence
NOT_FROM_HERE = "This address is not in PARLEY_METRICS_ALLOW.\n"


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """By the token or from an allowed address; 401 to a wrong token, 403 with the reason otherwise."""
    if _shows_token(request) or _comes_from_allowed(request):
        return HttpResponse(page.get(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    if settings.METRICS_TOKEN:
        return _refused(401, NO_TOKEN)
    return _refused(403, NOT_FROM_HERE if settings.METRICS_ALLOW else CLOSED)


class _Everything:
    """What prometheus_client asks a registry for."""

    def collect(self) -> Iterator[Metric]:
        yield from counting.collected()
        yield from readings.collected()


class _Page:
    """The text of this process, kept for a moment: whoever comes at the same time gets the same."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._made_at = float("-inf")
        self._text = b""

    def get(self) -> bytes:
        with self._guard:
            if time.monotonic() - self._made_at > KEPT_SECONDS:
                self._text, self._made_at = generate_latest(_Everything()), time.monotonic()
            return self._text

    def forget(self) -> None:
        self._made_at = float("-inf")


page = _Page()


def names() -> dict[str, str]:
    """Every metric that there can be, with its kind: counter, gauge or histogram."""
    return counting.names | {name: one.kind for name, one in readings.families.items()}


def _shows_token(request: HttpRequest) -> bool:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if not settings.METRICS_TOKEN or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())


def _comes_from_allowed(request: HttpRequest) -> bool:
    address = client_address(request)
    if address is None:
        return False
    known = ipaddress.ip_address(address)
    known = getattr(known, "ipv4_mapped", None) or known  # as a socket for both writes an address of IPv4
    return any(known in one for one in settings.METRICS_ALLOW)


def _refused(status: int, why: str) -> HttpResponse:
    response = HttpResponse(why, status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
