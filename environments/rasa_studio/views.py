"""POST /api/graphql/: always JSON, always HTTP 200; what went wrong is in `errors[].message`."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from graphql import GraphQLError, GraphQLSchema, execute, parse, validate
from graphql.validation import ASTValidationRule, ScalarLeafsRule, specified_rules

from environments.rasa_studio import operations
from environments.rasa_studio.schema import OneThing, make_schema
from studio.access.api_auth import TokenAuth
from studio.audit.services import refusals
from studio.errors import DomainError
from studio.web.api import chunks
from studio.web.api.failures import failure

log = structlog.get_logger()

MOST_TOKENS = 200  # of a query; the command's longest has 40
# `prompts { … }` asks for fields of what we keep as one object.
RULES: list[type[ASTValidationRule]] = [OneThing, *(rule for rule in specified_rules if rule is not ScalarLeafsRule)]
RESOLVERS: Mapping[str, Mapping[str, Callable[..., object]]] = {
    "Query": {
        "licenseDetails": operations.license_details,
        "assistantByName": operations.assistant_by_name,
        "exportAsEncodedYaml": operations.export,
    },
    "Mutation": {
        "uploadModernAssistant": operations.upload,
        "importFromEncodedYaml": operations.upload,
        "deleteAssistant": operations.delete,
    },
}


@csrf_exempt
@login_not_required
@never_cache
def graphql(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        refused = failure(405, "MethodNotAllowed", "This address answers POST alone.")
        refused["Allow"] = "POST"
        return refused
    try:
        if TokenAuth()(request) is None:
            raise DomainError("This token lets nobody in. Run `rasa studio login` again.")
        asked = _read(request)
    except DomainError as error:
        return _errors(error.message)
    return _answer(request, asked)


def _read(request: HttpRequest) -> dict[str, Any]:
    """The body; it may be longer than those of other requests, as all of an assistant's data come in it."""
    limit = settings.MAX_DATA_BYTES * 4 // 3 + 1024**2
    chunks.gather(request, limit)
    content = request.read(limit + 1)
    if len(content) > limit:
        raise DomainError(f"An assistant has at most {settings.MAX_DATA_BYTES // 1024**2} MB of data.")
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        raise DomainError("The body is no JSON.") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        raise DomainError("The body has to be an object with a query.")
    return asked


def _answer(request: HttpRequest, asked: dict[str, Any]) -> HttpResponse:
    variables, name = asked.get("variables"), asked.get("operationName")
    try:
        document = parse(asked["query"], max_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError) as error:
        return _errors(error.message if isinstance(error, GraphQLError) else "This query is nested too deep.")
    if found := validate(_schema(), document, RULES):
        return _errors(*(error.message for error in found))
    result = execute(
        _schema(),
        document,
        context_value=request,
        variable_values=variables if isinstance(variables, dict) else {},
        operation_name=name if isinstance(name, str) else None,
    )
    return JsonResponse(result.formatted)  # type: ignore[union-attr] # nothing here is awaited


def _errors(*messages: str) -> HttpResponse:
    return JsonResponse({"data": None, "errors": [{"message": message} for message in messages]})


@cache
def _schema() -> GraphQLSchema:
    schema = make_schema()
    for kind, resolvers in RESOLVERS.items():
        for field, act in resolvers.items():
            schema.type_map[kind].fields[field].resolve = _resolver(act)  # type: ignore[attr-defined]
    return schema


def _resolver(act: Callable[..., object]) -> Callable[..., object]:
    """`act` with the request, its failures as sentences; our own faults are logged and not told."""

    def resolve(_root: object, info: Any, **arguments: Any) -> object:
        request: HttpRequest = info.context
        try:
            return act(request, *arguments.values())
        except DomainError as error:
            raise GraphQLError(error.message) from None
        except PermissionDenied as error:
            refusals.note_denied(request, error)
            raise GraphQLError(str(error)) from None
        except Http404 as error:
            raise GraphQLError(str(error)) from None
        except Exception as error:
            log.exception("request of rasa studio failed")
            request_id = getattr(request, "request_id", "")
            message = f"Something went wrong here. The log has it under the request id {request_id}."
            raise GraphQLError(message) from error

    return resolve
