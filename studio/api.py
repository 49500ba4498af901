"""The root of the HTTP API. It looks up to the product's apps, whose routers it joins.

Every answer is JSON, failures too: `{version, status, message, reason, details, help, code}`, the shape that scripts
written for Rasa Enterprise read.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import AuthenticationError

from environments.api import router as environments_router
from studio.access.api import router as access_router
from studio.access.api_auth import TokenAuth
from studio.audit.services import refusals
from studio.web.failures import failure
from studio.web.ratelimit import TooMany

api = NinjaAPI(title="Parley", version=settings.VERSION, auth=TokenAuth(), docs_url=None, openapi_url=None)
api.add_router("", access_router)
api.add_router("", environments_router)


@api.exception_handler(AuthenticationError)
def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """One answer whatever was wrong with the token: it tells nobody which half of it was right."""
    response = failure(401, "NotAuthenticated", "Show a valid API token: Authorization: Bearer parley_…")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(TooMany)
def too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    response = failure(429, "TooManyRequests", error.message)
    response.headers["Retry-After"] = str(error.seconds)
    return response


@api.exception_handler(PermissionDenied)
def forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    refusals.note_denied(request, error)
    return failure(403, "Forbidden", str(error) or "Your roles do not include this.")


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return failure(404, "NotFound", str(error) or "There is nothing at this address.")


def urls() -> list[URLPattern | URLResolver]:
    """The API's addresses, each responsible for its own authentication: the sign-in page is for browsers."""
    patterns: list[URLPattern | URLResolver] = api.urls[0]
    for pattern in patterns:
        if pattern.callback is not None:
            login_not_required(pattern.callback)
    return patterns
