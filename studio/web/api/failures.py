"""The one shape of an error that programs read, which scripts written for Rasa Enterprise know."""

from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from ninja import Schema


class Failure(Schema):
    """`reason` is a stable word for programs, `message` a sentence for people, `code` the HTTP status."""

    version: str
    status: str
    message: str
    reason: str
    details: dict[str, object]
    help: str | None
    code: int


def failure(
    code: int, reason: str, message: str, details: Mapping[str, object] | None = None, *, help_at: str | None = None
) -> JsonResponse:
    """`{version, status, message, reason, details, help, code}` with `code` as the HTTP status."""
    body: dict[str, object] = {
        "version": settings.VERSION,
        "status": "failure",
        "message": message,
        "reason": reason,
        "details": dict(details or {}),
        "help": help_at,
        "code": code,
    }
    return JsonResponse(body, status=code)


def is_for_programs(request: HttpRequest) -> bool:
    """Whether whoever asks reads JSON and not a page: the API, and where command lines sign in."""
    return request.path_info == "/api" or request.path_info.startswith(("/api/", "/auth/realms/"))
