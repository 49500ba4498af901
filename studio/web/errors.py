"""Error pages: what happened, in one sentence, and what to do next."""

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from studio.audit.services import refusals
from studio.web.api.failures import failure, is_for_programs
from studio.web.ratelimit import TooMany


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    title: str
    text: str


BAD_REQUEST = Problem(
    400, "That request makes no sense here", "Go back and try again; a reload of the page often helps."
)
UNKNOWN_HOST = Problem(
    400,
    "Parley does not answer to this name",
    "Open it at {address}. Whoever runs it can add other names: PARLEY_URL is the address for browsers, and "
    "PARLEY_ALLOWED_HOSTS lists every host name that requests may carry.",
)
FORBIDDEN = Problem(
    403, "You may not do this", "Your roles do not include it here. Ask an administrator if you need it."
)
NOT_FOUND = Problem(
    404, "There is nothing here", "It may have been deleted or renamed, or you may not have access to it."
)
CSRF = Problem(
    403,
    "This form has expired",
    "Nothing was changed. Go back, reload the page and send it again. If it happens every time, the browser may be "
    "blocking cookies, or Parley is opened under an address other than PARLEY_URL.",
)


TOO_MANY = Problem(429, "That was too often", "Wait a while, then try again.")
FILE_MISSING = Problem(
    503,
    "The model's file is not in the store",
    "The model is known, but its archive is missing from the artifact store. If the store is away, try again when it "
    "is back; else upload the same file under the same name, and it is complete again.",
)
STORE_AWAY = Problem(503, "The model's file cannot be had now", "The artifact store does not answer. Try again later.")

REASONS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 429: "TooManyRequests", 503: "Unavailable"}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return problem_page(request, UNKNOWN_HOST, UNKNOWN_HOST.text.format(address=settings.PUBLIC_URL))
    return problem_page(request, BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A PermissionDenied of ours carries a sentence that says which permission is missing."""
    reason = str(exception) if isinstance(exception, PermissionDenied) else ""
    refusals.note_denied(request, exception)
    return problem_page(request, FORBIDDEN, reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(request, NOT_FOUND)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    refusals.note(request, reason=f"Cross-site request check: {reason}")
    return problem_page(request, CSRF)


def too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    response = problem_page(request, TOO_MANY, error.message)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without context processors: they may be what failed."""
    if is_for_programs(request):
        return failure(500, "InternalError", "Something went wrong here. The log has it under the request's id.")
    page = render_to_string("500.html", {"request_id": getattr(request, "request_id", "")})
    return HttpResponse(page, status=500)


def problem_page(request: HttpRequest, problem: Problem, text: str = "") -> HttpResponse:
    if is_for_programs(request):
        return failure(problem.status, REASONS[problem.status], text or problem.text)
    context = {"problem": problem, "text": text or problem.text, "request_id": getattr(request, "request_id", "")}
    return render(request, "web/problem.html", context, status=problem.status)
