"""The model server: what Rasa servers poll, `GET /api/projects/<slug>/models/tags/<tag>`. Who shows the token of a
person or program instead is answered by environments/api/tags.py.

Answered by the outermost middleware, before sessions, cookies and sign-in: a poll that brings nothing new costs one
round trip to Redis and no SQL. Never a redirect, never a cookie.
"""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Callable
from functools import partial

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from environments import guesses, metrics
from environments.services import pointers, polls
from environments.services.pointers import EVERY_TAG, Answer, Pointer, Poll, UnknownTag, WrongToken
from models_app.services.assistants import DEFAULT_SLUG
from models_app.storage import ArtifactMissing, StoreFailed, store
from studio.access.api_auth import shows_persons_token
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.crypto import digest
from studio.metrics import http
from studio.web import streaming
from studio.web.addresses import client_address
from studio.web.api.failures import failure

log = structlog.get_logger()

PATH = re.compile(r"/api/(?:projects/(?P<slug>[^/]+)/)?models/tags/(?P<tag>[^/]+)\Z")
ROUTE = "/api/projects/{slug}/models/tags/{tag}"
REPLICA_HEADER = "HTTP_X_PARLEY_REPLICA"
ENVIRONMENT_HEADER = "HTTP_X_PARLEY_ENVIRONMENT"

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


class ModelServerMiddleware:
    """Outermost middleware: answers the model server's two paths, passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = PATH.match(request.path_info)
        if match is None or shows_persons_token(request):
            return self.get_response(request)
        slug, tag = match["slug"] or DEFAULT_SLUG, match["tag"]
        response = answer(request, slug, tag)
        http.name_route(request, ROUTE)
        metrics.count_poll((slug, tag) if hasattr(request, "let_in") else ("", ""), response.status_code)
        return response


def answer(request: HttpRequest, slug: str, tag: str) -> HttpResponseBase:
    structlog.contextvars.clear_contextvars()  # what the last request of this thread left for logs and the audit
    if request.method not in {"GET", "HEAD"}:
        return _not_allowed(request)
    proof = _proof(request, slug)
    if proof is None:
        return _refused()
    if proof == EVERY_TAG and (seconds := guesses.wait(client_address(request))):
        return _too_many(seconds)
    try:
        return _answer(request, slug, tag, proof)
    except WrongToken:
        return _wrong_token(request)
    except DatabaseError:
        log.exception("poll not answered")
        return _failure(503, "Unavailable", "The database does not answer. Try again later.")
    except ArtifactMissing as error:
        log.error("artifact missing", assistant=slug, tag=tag, sha256=str(error))
        return _failure(503, "Unavailable", "The model's file is missing from the artifact store.")
    except StoreFailed as error:
        log.error("artifact store failed", assistant=slug, tag=tag, error=error.message)
        return _failure(503, "Unavailable", error.message)
    except OSError:
        log.exception("artifact not readable", assistant=slug, tag=tag)
        return _failure(503, "Unavailable", "The artifact store does not give the model's file out.")


def _answer(request: HttpRequest, slug: str, tag: str, proof: str) -> HttpResponseBase:
    poll = _poll(request)
    try:
        found = pointers.ask(slug, tag, proof, poll)
    except UnknownTag:
        return _failure(404, "NotFound", f"There is no tag {tag}.") if proof == EVERY_TAG else _wrong_token(request)
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    pointer = found.pointer
    if pointer.is_free_tag:
        poll = None
    else:  # what is counted by has few names, none of which anybody could make up
        request.let_in = True  # type: ignore[attr-defined]
    is_known = bool(pointer.sha256 and known) and streaming.matches(known, _etag(pointer))
    if poll is not None:
        _note(found, poll, None if is_known or not pointer.sha256 else pointer.sha256)
    if is_known:
        return HttpResponse(status=304, headers={"ETag": _etag(pointer)})
    if not pointer.sha256:
        return HttpResponse(status=204)
    return _archive(request, pointer, poll)


def _note(found: Answer, poll: Poll, answered: str | None) -> None:
    """A poll that is given a model is always news: it may be the second one after a model that does not load."""
    environment_id = found.pointer.environment_id
    if not found.from_redis and answered is None:
        polls.record_now_and_then(environment_id, poll)
    elif found.is_news or answered is not None:
        polls.record(environment_id, poll, found.interval, answered=answered)


def _archive(request: HttpRequest, pointer: Pointer, poll: Poll | None) -> HttpResponseBase:
    """The model's file. A poll that does not get it is told: its sender pulls nothing, and is not waited for."""
    cut = partial(polls.record_cut, pointer.environment_id, poll) if poll is not None else None
    status = 0
    try:
        response = _file(request, pointer, poll, cut)
        status = response.status_code
    finally:
        if status != 200 and cut is not None:
            cut()
    return response


def _file(
    request: HttpRequest, pointer: Pointer, poll: Poll | None, cut: Callable[[], None] | None
) -> HttpResponseBase:
    if request.method == "HEAD":
        store().size(pointer.sha256)  # raises where a GET would
    source = streaming.Source(partial(store().open, pointer.sha256), pointer.size, _etag(pointer))
    file_name = f"{pointer.model_name}.tar.gz"
    served = partial(polls.record_served, pointer.environment_id, poll, pointer.sha256) if poll is not None else None
    return streaming.stream(
        request,
        source,
        headers={
            "filename": file_name,  # what Rasa calls the model from now on
            "Content-Disposition": f'attachment; filename="{file_name}"',
            "Cache-Control": "private, no-cache",
        },
        on_complete=served,
        on_cut=cut,
    )


def _etag(pointer: Pointer) -> str:
    return f'"{pointer.sha256}"'


def _proof(request: HttpRequest, slug: str) -> str | None:
    """Digest of the token that was shown, or EVERY_TAG; None without one."""
    token = _token(request)
    if not token:
        return None
    every = settings.RASA_X_TOKEN
    if every and slug == DEFAULT_SLUG and hmac.compare_digest(token.encode(), every.encode()):
        return EVERY_TAG
    return digest(token).hex()


def _token(request: HttpRequest) -> str:
    """As `endpoints.yml` can send it: `token`, `headers` or `basic_auth` (the password, or the user without one)."""
    if "token=" in request.META.get("QUERY_STRING", "") and (token := request.GET.get("token")):
        return token
    scheme, _space, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return str(value).strip()
    if scheme.lower() == "basic":
        try:
            user, _colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password or user
    return str(request.META.get("HTTP_X_RASA_TOKEN", "")).strip()


def _poll(request: HttpRequest) -> Poll | None:
    """Who asks and what it runs. Rasa always sends one If-None-Match; without it, it is a person's download."""
    runs = streaming.bare(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if request.method != "GET" or runs in {"", "*"} or "HTTP_RANGE" in request.META:
        return None
    runs, now = _UNPRINTABLE.sub("?", runs)[:80], round(time.time(), 3)  # Redis keeps milliseconds
    name = _said(request, REPLICA_HEADER)[:200]
    claims = _UNPRINTABLE.sub("?", _said(request, ENVIRONMENT_HEADER))[:63]
    if name:
        return Poll(name, True, runs, now, claims)
    return Poll(client_address(request) or "unknown", False, runs, now, claims)


def _said(request: HttpRequest, header: str) -> str:
    """Rasa sends a `${NAME}` that it did not expand as it stands, which says nothing."""
    value = str(request.META.get(header, "")).strip()
    return "" if "$" in value else value


def _wrong_token(request: HttpRequest) -> HttpResponse:
    """One row of the audit log for each address and hour: paths and tokens are whatever the caller makes up."""
    refusals.note(
        request,
        Action.TOKEN_REFUSED,
        reason="The token does not read this model.",
        actor_label="a server",
        window=refusals.MACHINE_WINDOW_SECONDS,
    )
    seconds = guesses.note(client_address(request))
    return _too_many(seconds) if seconds else _refused()


def _too_many(seconds: int) -> HttpResponse:
    response = failure(429, "TooManyRequests", "Too many wrong tokens came from this address.")
    response.headers["Retry-After"] = str(seconds)
    return response


def _refused() -> HttpResponse:
    return _failure(401, "Unauthenticated", "The token is missing or does not read this tag.")


def _not_allowed(request: HttpRequest) -> HttpResponse:
    response = failure(405, "MethodNotAllowed", f"This address does not answer {request.method}, but GET and HEAD.")
    response.headers["Allow"] = "GET, HEAD"
    return response


def _failure(code: int, reason: str, message: str) -> HttpResponse:
    response = failure(code, reason, message)
    if code == 503:
        response.headers["Retry-After"] = "5"
    return response
