"""Where a request came from, and where it may be sent."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def client_address(request: HttpRequest) -> str | None:
    """The caller's IP address: of X-Forwarded-For only the hop that the last of our PARLEY_TRUSTED_PROXIES wrote."""
    if settings.TRUSTED_PROXIES:
        hops: list[str] = [
            hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()
        ]
        if len(hops) >= settings.TRUSTED_PROXIES and (hop := _address(hops[-settings.TRUSTED_PROXIES])):
            return hop
    return _address(request.META.get("REMOTE_ADDR", ""))


def safe_path(request: HttpRequest, target: str) -> str:
    """`target` when it leads to a page of ours, else nothing: a link to us must not send people elsewhere."""
    here = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if here else ""


def _address(text: str) -> str | None:
    """`text` when it is an IP address: what else a proxy writes (`unknown`) is none, and no column takes it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
