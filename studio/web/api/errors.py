"""From what went wrong to an answer of the API. A service's sentence is shown as it is; our own faults are logged."""

from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from studio.audit.services import refusals
from studio.errors import Conflict, DomainError, Forbidden, Invalid
from studio.web.api.failures import failure
from studio.web.ratelimit import TooMany

log = structlog.get_logger()

# The first that fits. A refusal of no kind is the fault of the request too.
STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (TooMany, 429),
    (Forbidden, 403),
    (Conflict, 409),
    (Invalid, 422),
    (DomainError, 400),
)


def handle(api: NinjaAPI) -> None:
    """Give `api` an answer for everything that its operations raise."""
    for kind, answer in _answers().items():
        api.add_exception_handler(kind, answer)


def _answers() -> dict[type[Exception], Any]:
    """How each kind is answered; the nearest kind counts."""
    return {
        AuthenticationError: _unauthenticated,
        PermissionDenied: _forbidden,
        Http404: _not_found,
        DomainError: refused,
        ValidationError: _invalid,
        HttpError: _http_error,
        BadRequest: _bad_request,
        RequestDataTooBig: _too_big,
        TooManyFieldsSent: _too_big,
        DataError: _not_kept,
        UnicodeEncodeError: _not_kept,
        IntegrityError: _raced,
        OperationalError: _no_database,
        InterfaceError: _no_database,
        Exception: _ours,
    }


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Raised on purpose, with a sentence for whoever asked; the word of its code becomes the reason."""
    code = getattr(error, "status", None) or next(status for kind, status in STATUS if isinstance(error, kind))
    response = failure(
        code, reason_of(error.code), error.message, {key: _plain(value) for key, value in error.details.items()}
    )
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.seconds)
    return response


def reason_of(code: str) -> str:
    """`NameTaken` of `name-taken`."""
    return "".join(part.capitalize() for part in code.replace("_", "-").split("-"))


def _plain(value: object) -> object:
    """What JSON can say of a fact."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return str(value)


def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """One answer whatever was wrong with the token: it tells nobody which half of it was right."""
    response = failure(401, "NotAuthenticated", "Show a valid API token: Authorization: Bearer parley_…")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    request.denied = error  # type: ignore[attr-defined]
    return failure(403, "Forbidden", str(error) or "Your roles do not include this.")


def note_denied(request: HttpRequest) -> None:
    """Keep what was denied for the audit log, when the transaction of the request is over."""
    if (error := getattr(request, "denied", None)) is not None:
        refusals.note_denied(request, error)


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return failure(404, "NotFound", str(error) or "There is nothing at this address.")


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What the request says is not of the documented kind: `details.errors` names each place."""
    errors = [{"where": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors]
    first = f"{errors[0]['where']}: {errors[0]['message']}" if errors else "Look at the documentation of this path."
    return failure(422, "Invalid", f"The request is not what it must be. {first}", {"errors": errors})


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return failure(error.status_code, "BadRequest" if error.status_code == 400 else "Refused", str(error))


def _bad_request(request: HttpRequest, error: BadRequest) -> HttpResponse:
    return failure(400, "BadRequest", str(error) or "The request makes no sense.")


def _too_big(request: HttpRequest, error: Exception) -> HttpResponse:
    return failure(413, "TooLarge", "The request is too large.")


def _not_kept(request: HttpRequest, error: DataError | UnicodeEncodeError) -> HttpResponse:
    """A NUL or half a surrogate pair in a text, a number beyond all measure: PostgreSQL takes none of them."""
    log.warning("request holds what the database does not take", error=str(error))
    return failure(
        422, "Invalid", "The request holds characters that are none, or a number or text that is far too large."
    )


def _raced(request: HttpRequest, error: IntegrityError) -> HttpResponse:
    """Two at once, of whom one was faster; what is wrong whoever asks is told before it is written."""
    log.warning("request to the API lost a race", error=str(error))
    return failure(409, "Conflict", "Somebody else changed this at the same moment. Look at it, then try again.")


def _no_database(request: HttpRequest, error: OperationalError | InterfaceError) -> HttpResponse:
    log.exception("request to the API not answered")
    response = failure(503, "Unavailable", "The database does not answer. Try again later.")
    response.headers["Retry-After"] = "5"
    return response


def _ours(request: HttpRequest, error: Exception) -> HttpResponse:
    log.exception("request to the API failed")
    request_id = getattr(request, "request_id", "")
    message = f"Something went wrong here. The log has it under the request id {request_id}."
    return failure(500, "InternalError", message, {"request_id": request_id})
