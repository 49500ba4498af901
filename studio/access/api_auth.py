"""How programs prove who they are at /api: a token as `Authorization: Bearer` or as `?api_token=`, and nothing else.

A browser's session counts for nothing here, so no page of somebody else's can act through it.
"""

import structlog
from django.http import HttpRequest
from ninja.security.base import AuthBase

from studio.access.models import ApiToken
from studio.access.services import tokens
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.web.addresses import client_address


class TokenAuth(AuthBase):
    """`request.user` becomes the token's user, narrowed to the token; `request.auth` becomes the token."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> ApiToken | None:
        shown = _shown(request)
        if not shown:
            return None
        token = tokens.authenticate(shown, client_address(request))
        if token is None:
            _note_refusal(request)
            return None
        request.user = token.user
        structlog.contextvars.bind_contextvars(token_key=token.key)
        return token


def _note_refusal(request: HttpRequest) -> None:
    refusals.note(
        request,
        Action.TOKEN_REFUSED,
        reason="The API token lets nobody in.",
        actor_label="somebody with an API token",
        window=refusals.MACHINE_WINDOW_SECONDS,
    )


def _shown(request: HttpRequest) -> str:
    """The header wins: what is in the address ends up in more logs than ours."""
    scheme, _space, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(value).strip()
    return request.GET.get("api_token", "").strip()
