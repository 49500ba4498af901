"""The root of the HTTP API. It looks up to the product's apps, whose routers it joins.

Every answer is JSON, failures too: `{version, status, message, reason, details, help, code}`, the shape that scripts
written for Rasa Enterprise read.
"""

from collections.abc import Callable, Mapping
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import conditional_page, require_safe
from ninja.operation import Operation

from conversations.api import router as conversations_router
from environments.api import router as environments_router
from models_app.api import router as models_router
from studio.access import api_repeats
from studio.access.api import router as access_router
from studio.access.api_auth import TokenAuth
from studio.audit.api import router as audit_router
from studio.rasa.api import router as rasa_router
from studio.uploads import UploadCut
from studio.web.api import chunks, errors
from studio.web.api.description import Api
from studio.web.api.failures import failure
from studio.web.api.parser import StrictParser
from studio.web.api.repeats import Repeats, repeats

View = Callable[..., HttpResponseBase]

DOCS = "/api/docs"
DESCRIPTION = """Everything that Parley's pages can do. Show an API token as `Authorization: Bearer parley_…`.

Paths under `/projects/{slug}` are of one assistant; `default` is the first one. A failure has one shape whatever went
wrong, with a stable `reason`. What is polled has an `ETag`; a POST with an `Idempotency-Key` is safe to send again.
"""

api = Api(
    title="Parley",
    version=settings.VERSION,
    description=DESCRIPTION,
    auth=TokenAuth(),
    urls_namespace="api",
    docs_url="/docs",
    openapi_url="/openapi.json",
    parser=StrictParser(),
)
errors.handle(api)
api.add_router("", access_router)
api.add_router("", models_router)
api.add_router("", audit_router)
api.add_router("", environments_router)
api.add_router("", rasa_router)
api.add_router("", conversations_router)


@login_not_required
@csrf_exempt
def unknown(request: HttpRequest) -> HttpResponse:
    return failure(404, "NotFound", f"The API has nothing at this address. {DOCS} lists what it has.", help_at=DOCS)


def urls() -> list[URLPattern | URLResolver]:
    """The API's addresses, each responsible for its own authentication: the sign-in page is for browsers."""
    patterns = [pattern for pattern in api.urls[0] if getattr(pattern, "name", "") != "api-root"]  # it says nothing
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            is_page = pattern.name in {"openapi-view", "openapi-json"}
            view = require_safe(pattern.callback) if is_page else pattern.callback
            pattern.callback = _finished(view, api.operations_of(pattern.name or ""))
    return patterns


def _finished(view: View, operations: Mapping[str, Operation]) -> View:
    """`view` with what every address of the API has: safe to repeat, cheap to poll, failures of our shape."""
    if "POST" in operations and repeats(operations["POST"]) is Repeats.KEPT:
        view = api_repeats.once(view, authenticate=TokenAuth(), on_error=api.on_exception)
    polled = conditional_page(_gathered(view, operations))

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response: HttpResponseBase = polled(request, *args, **kwargs)
        if response.status_code == 405:
            allowed = response.get("Allow", "")
            response = failure(
                405, "MethodNotAllowed", f"This address does not answer {request.method}, but {allowed}."
            )
            response["Allow"] = allowed
        errors.note_denied(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return login_not_required(answer)


def _gathered(view: View, operations: Mapping[str, Operation]) -> View:
    """`view`, which finds a whole body also where it came in chunks, unless it is a file."""
    files = {method for method, operation in operations.items() if chunks.takes_file(operation)}

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            if request.method not in files:
                chunks.gather(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        except UploadCut as error:
            return api.on_exception(request, error)
        return view(request, *args, **kwargs)

    return answer
