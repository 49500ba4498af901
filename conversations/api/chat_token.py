"""The chat token of Rasa Enterprise: the code of one share link of default's production.

It is the link that `PUT /api/chatToken` made, told by its name, "API: …"; people see it among the others, and what they
change or revoke there counts. Its greeting is the description.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Router, Schema

from conversations.chat.links import LinkState, change_link, create_link, state_of
from conversations.models import ShareLink
from environments.loaders import load_environment
from environments.models import Environment
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.crypto import decrypt
from studio.web.api.bodies import Body

router = Router(tags=["chat"])

NAME = "API: "
LATEST = 253_402_300_799  # the last second that a date has


class ChatToken(Schema):
    """`chat_token` is empty until a PUT makes one; `expires` null while it does not end."""

    chat_token: str
    bot_name: str
    description: str
    expires: float | None


class ChatTokenChange(Body):
    """What is left out stays as it is."""

    bot_name: str = Field("", max_length=100)
    description: str = Field("", max_length=1000)
    expires: float | None = Field(None, ge=0, le=LATEST)


@router.get("/chatToken", summary="The chat token of default's production", url_name="chat-token", response=ChatToken)
def chat_token(request: HttpRequest) -> dict[str, Any]:
    """Whoever has it may chat as a guest: see `POST /api/auth/jwt`."""
    production = _production(request)
    return _facts(_link(production), production)


@router.put("/chatToken", summary="Make or change the chat token", url_name="chat-token", response=ChatToken)
def change(request: HttpRequest, body: ChatTokenChange) -> dict[str, Any]:
    """Makes one where there is none, or where it was revoked."""
    production = _production(request)
    with transaction.atomic():
        Environment.objects.select_for_update(no_key=True).get(pk=production.pk)  # of two firsts one makes it
        return _facts(_changed(signed_in(request), production, body.dict(exclude_unset=True)), production)


def _changed(actor: User, production: Environment, given: dict[str, Any]) -> ShareLink:
    link = _link(production)
    wanted: dict[str, Any] = {**_facts(link, production), **given}
    expires = datetime.fromtimestamp(wanted["expires"], UTC) if wanted["expires"] is not None else None
    name = f"{NAME}{wanted['bot_name'].strip() or production.assistant.title}"[:120]
    of: dict[str, Any] = {"name": name, "greeting": wanted["description"], "expires_at": expires}
    if link is None:
        return create_link(actor=actor, environment=production, **of)
    return change_link(actor=actor, link=link, environment=production, is_on=True, **of)


def _production(request: HttpRequest) -> Environment:
    return load_environment(request, DEFAULT_SLUG, "production", Permission.SHARE)


def _link(production: Environment) -> ShareLink | None:
    rows = ShareLink.objects.select_related("environment__assistant", "model")
    mine = rows.filter(environment=production, model=None, name__startswith=NAME, revoked_at=None)
    return mine.order_by("-pk").first()


def _facts(link: ShareLink | None, production: Environment) -> dict[str, Any]:
    if link is None:
        return {"chat_token": "", "bot_name": production.assistant.title, "description": "", "expires": None}
    return {
        "chat_token": decrypt(link.code_encrypted) if state_of(link) is not LinkState.GONE else "",
        "bot_name": link.name.removeprefix(NAME),
        "description": link.greeting,
        "expires": link.expires_at.timestamp() if link.expires_at else None,
    }
