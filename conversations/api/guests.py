"""Guests by the API, as Rasa Enterprise lets them in: a chat token brings a signed token for one conversation.

The chat token is the code of a share link, and the same rules hold as on the link's page: whether it is open, its
password, how many may come, and how much each may write. Each signed token is a guest, and a conversation, of its own.
"""

import time
from dataclasses import dataclass
from typing import Any

import jwt
from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from ninja.security.base import AuthBase

from conversations.api.talking import (
    Replies,
    Saying,
    answered,
    is_without_model,
    nonce_of,
    replies_of,
    say_once,
    unanswered,
)
from conversations.chat import guests, once
from conversations.chat.links import LinkState, find_link, state_of
from conversations.chat.sending import MayBeHeard, NotAnswered
from conversations.chat.targets import Target
from conversations.models import ShareGuest, ShareLink
from environments.services import slots
from environments.services.address import NoServer, slot_of
from studio.crypto import keyed_digest
from studio.errors import Conflict, DomainError, Forbidden
from studio.web.addresses import client_address
from studio.web.api.bodies import Body
from studio.web.api.failures import failure
from studio.web.ratelimit import NotCounted, TooMany, Window

router = Router(tags=["chat"])

LIFE_SECONDS = 30 * 24 * 3600
ALGORITHM, AUDIENCE = "HS256", "parley-guest"
PRINTABLE = r"^[ -~]+$"
WRONG_TOKENS = Window("chat-token-guesses", most=30, seconds=600)  # of one address


class GuestToken(Body):
    """`conversation_id` is the client's own name for it, of printable ASCII, as a header tells it; `password` where the
    link asks for one."""

    conversation_id: str = Field(min_length=1, max_length=255, pattern=PRINTABLE)
    chat_token: str = Field(min_length=1, max_length=255)
    password: str = Field("", max_length=200)


class GuestTokenOut(Schema):
    jwt_token: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class SignedGuest:
    """Whom a signed token names, and how they call their conversation."""

    guest: ShareGuest
    link: ShareLink
    conversation_id: str


@router.post("/auth/jwt", auth=None, summary="A token for a guest", url_name="guest-token", response=GuestTokenOut)
def guest_token(request: HttpRequest, body: GuestToken) -> dict[str, str] | HttpResponse:
    """For `POST /api/chat` alone, and for this one conversation. 401 for a chat token that opens nothing."""
    link = _link_of(body.chat_token, client_address(request))
    if link is None:
        return failure(401, "NotAuthenticated", "This chat token opens nothing: it never was, or its link has ended.")
    _refuse_without_password(link, body.password, client_address(request))
    if guests.is_full(link):
        raise guests.Full("This link has all the visitors that it was made for.")
    if not guests.may_meet(client_address(request)):
        raise TooMany("Too many guests came from here. Wait an hour, then try again.", 3600)
    guest, _secret = guests.meet(link=link, about=guests.About())
    claims = {
        "aud": AUDIENCE,
        "sub": str(guest.pk),
        "conversation_id": body.conversation_id,
        "pass": guests.pass_of(link) if link.password else "",
        "exp": int(time.time()) + LIFE_SECONDS,
    }
    token = jwt.encode(claims, _key(), algorithm=ALGORITHM)
    return {"jwt_token": token, "conversation_id": body.conversation_id}


def _link_of(code: str, address: str | None) -> ShareLink | None:
    """Guessing one of 128 bits is hopeless, so a right one is let through: guests can share an address."""
    link = find_link(code.replace("\0", ""))
    if link is not None and state_of(link) is LinkState.OPEN:
        return link
    if link is None and (seconds := WRONG_TOKENS.count(address)):
        raise TooMany("Too many chat tokens from here open nothing. Wait a few minutes, then try again.", seconds)
    return None


def _refuse_without_password(link: ShareLink, typed: str, address: str | None) -> None:
    if not link.password:
        return
    try:
        is_right, seconds = guests.try_password(link, address, typed)
    except NotCounted as error:
        raise TooMany(error.message, 60) from error
    if seconds:
        raise TooMany("Too many wrong passwords. Wait a few minutes, then try again.", seconds)
    if not is_right:
        raise Forbidden("This link has a password, and that is not it.", code="locked")


class GuestAuth(AuthBase):
    """`request.auth` becomes the guest whom a token of `POST /api/auth/jwt` names."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> SignedGuest | None:
        scheme, _space, shown = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or shown.count(".") != 2:
            return None
        try:
            claims = jwt.decode(shown.strip(), _key(), algorithms=[ALGORITHM], audience=AUDIENCE)
        except jwt.InvalidTokenError:
            return None
        return _guest_of(claims)


def _guest_of(claims: dict[str, Any]) -> SignedGuest | None:
    """None once the link ended or has another password."""
    related = ShareGuest.objects.select_related(
        "session", "link__environment__assistant", "link__environment__server", "link__environment__tag", "link__model"
    )
    guest = related.filter(pk=int(claims["sub"])).first()
    if guest is None or state_of(guest.link) is not LinkState.OPEN or not guests.may_pass(guest.link, claims["pass"]):
        return None
    return SignedGuest(guest, guest.link, str(claims["conversation_id"]))


def say_as_guest(request: HttpRequest, who: SignedGuest, said: Saying, conversation_id: str | None) -> HttpResponse:
    if conversation_id not in (None, "", who.conversation_id):
        raise Forbidden("This token is for another conversation.")
    if guests.is_full_for(who.guest, who.link):
        raise guests.Full("This link has all the visitors that it was made for.")
    claim = f"guest:{who.guest.pk}", nonce_of(request, said)
    try:
        _wake(who.link)
        if not guests.may_say(who.link, who.guest, client_address(request), is_new=who.guest.session is None):
            raise TooMany("That was quick. Wait a minute before you go on.", 60)
        known = once.claim(*claim)
        replies = replies_of(known, said.message) if known is not None else _say(who, said.message, claim)
    except (NotAnswered, NoServer, Conflict) as error:
        if is_without_model(error, Target(who.link.environment, who.link.model)):
            return answered([], who.conversation_id)
        return unanswered(error, who.link.environment)
    return answered(replies, who.conversation_id)


def _say(who: SignedGuest, text: str, claim: tuple[str, str]) -> Replies:
    try:
        session = guests.session_of(who.guest, who.link) or guests.begin(guest=who.guest, link=who.link)
        guests.count_message(who.guest, who.link)
    except DomainError:
        once.release(*claim)
        raise
    try:
        return say_once(session, text, claim, recipient=who.conversation_id)
    except DomainError as error:
        if not isinstance(error, MayBeHeard):
            guests.uncount_message(who.guest)
        raise


def _wake(link: ShareLink) -> None:
    """The model of a link sleeps while nobody talks to it. Raises NoSlot until it answers."""
    if link.model is not None and not slots.answers(link.model.pk):
        guests.wake(link)
        slot_of(link.model)


def _key() -> bytes:
    return keyed_digest("api-guest", "key")
