"""How programs prove who they are at /api: an API token or the token of a sign-in, here or by the single sign-on, as
`Authorization: Bearer` or as `?api_token=`, and nothing else.

A browser's session counts for nothing here, so no page of somebody else's can act through it.
"""

import jwt
import structlog
from django.http import HttpRequest
from ninja.security.base import AuthBase

from studio.access.models import ApiToken, User
from studio.access.oidc import bearer
from studio.access.services import api_sign_in, tokens
from studio.audit.actions import Action
from studio.audit.services import refusals
from studio.web.addresses import client_address


class TokenAuth(AuthBase):
    """`request.user` becomes the token's user, narrowed to the token; `request.auth` the API token, or the user."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> ApiToken | User | None:
        if not hasattr(request, "_proven"):
            request._proven = _proof(request)  # type: ignore[attr-defined]
        known: ApiToken | User | None = request._proven  # type: ignore[attr-defined]
        return known


def shows_persons_token(request: HttpRequest) -> bool:
    """Whether what it shows has the form of such a token. Where servers ask too, whose tokens may be any text."""
    shown = _shown(request)
    if not shown or tokens.parse(shown) is not tokens.NO_PARTS:
        return bool(shown)
    try:
        return api_sign_in.looks_like_one(shown) and bool(jwt.get_unverified_header(shown))
    except jwt.PyJWTError:
        return False


def _proof(request: HttpRequest) -> ApiToken | User | None:
    shown = _shown(request)
    if not shown:
        return None
    if api_sign_in.looks_like_one(shown):
        find = bearer.person_of if bearer.is_one(shown) else api_sign_in.person_of
        person = api_sign_in.let_in_by(find, shown, client_address(request))
        return _let_in(request, person, person)
    token = tokens.authenticate(shown, client_address(request))
    if token is not None:
        structlog.contextvars.bind_contextvars(token_key=token.key)
    return _let_in(request, token, token.user if token else None)


def _let_in(request: HttpRequest, proof: ApiToken | User | None, person: User | None) -> ApiToken | User | None:
    if person is None:
        _note_refusal(request)
    else:
        request.user = person
    return proof


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
    return request.GET.get("api_token", "").strip() if "api_token=" in request.META.get("QUERY_STRING", "") else ""
