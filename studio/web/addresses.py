"""Where a request came from."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The caller's IP address: of X-Forwarded-For only the hop that the last of our PARLEY_TRUSTED_PROXIES wrote."""
    if settings.TRUSTED_PROXIES:
        hops: list[str] = [
            hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()
        ]
        if len(hops) >= settings.TRUSTED_PROXIES:
            return hops[-settings.TRUSTED_PROXIES]
    address: str = request.META.get("REMOTE_ADDR", "")
    return address or None
