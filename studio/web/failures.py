"""The one shape of an error that programs read, which scripts written for Rasa Enterprise know."""

from django.conf import settings
from django.http import JsonResponse


def failure(code: int, reason: str, message: str) -> JsonResponse:
    """`{version, status, message, reason, details, help, code}` with `code` as the HTTP status."""
    body: dict[str, object] = {
        "version": settings.VERSION,
        "status": "failure",
        "message": message,
        "reason": reason,
        "details": {},
        "help": None,
        "code": code,
    }
    return JsonResponse(body, status=code)
