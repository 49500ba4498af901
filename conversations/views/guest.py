"""The chat of guests who opened a share link. They have no account: a cookie of the link's own proves who they are."""

from dataclasses import replace

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from conversations.chat.links import LinkState, find_link, state_of
from conversations.chat.sending import claim, say
from conversations.chat.sessions import begin_guest, guest_session
from conversations.chat.transcript import conversation_of, turns_since
from conversations.chat.turns import Turn
from conversations.forms import LONGEST_MESSAGE, MessageForm
from conversations.models import ShareLink, TalkSession
from conversations.presentation import Message
from conversations.views import messages
from studio.errors import DomainError
from studio.web.addresses import client_address
from studio.web.ratelimit import TooMany, Window, allow

COOKIE = "parley_guest"
COOKIE_SECONDS = 90 * 24 * 3600
LINK_MESSAGES_A_MINUTE = 240
ADDRESS_MESSAGES_A_MINUTE = 40
ADDRESS_CONVERSATIONS_AN_HOUR = 60
ADDRESS_PAGES_A_MINUTE = 240
CODE_GUESSES = Window("share-code-guesses", most=30, seconds=600)  # of one address

# Guests cannot mend anything, and learn nothing about what is behind the page.
AWAY = "The assistant cannot be reached right now. Your message is kept below: try again in a moment."
ENDED = "This chat has ended. Reload the page to see more."
ELSEWHERE = "A new chat has begun, perhaps in another window. Reload the page to go on with it."
TOO_MANY = "That was quick. Wait a minute before you go on."

_OVER = {
    "title": "This chat has ended",
    "heading": "This chat has ended",
    "text": "Thank you for stopping by. Whoever sent you the link can give you a new one.",
}
_PAUSED = {
    "title": "This chat is paused",
    "heading": "This chat is taking a break",
    "text": "The link is right, and the chat is switched off for now. Please come back later.",
}
_CLOSED = {
    LinkState.OFF: _PAUSED,
    LinkState.EXPIRED: _OVER,
    LinkState.REVOKED: _OVER,
    LinkState.GONE: _OVER,
}


@login_not_required
@never_cache
@ensure_csrf_cookie
@require_safe
def guest(request: HttpRequest, code: str) -> HttpResponse:
    link = _load(request, code)
    state = state_of(link)
    if state is not LinkState.OPEN:
        return _private(render(request, "conversations/guest_closed.html", _CLOSED[state], status=410))
    session = guest_session(link, request.COOKIES.get(COOKIE, ""))
    turns, _conversation = messages.history(session) if session else ([], None)
    context = {
        "link": link,
        "code": code,
        "title": link.environment.assistant.title,
        "session": session,
        "after": messages.place_of(turns),
        "turns": [_for_guest(turn) for turn in turns],
        "addresses": _addresses(code, session),
        "longest": LONGEST_MESSAGE,
    }
    return _private(render(request, "conversations/guest.html", context))


@login_not_required
@require_POST
def guest_say(request: HttpRequest, code: str) -> HttpResponse:
    link = _load(request, code)
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _refused(form.problem, "invalid", 422)
    if state_of(link) is not LinkState.OPEN:
        return _refused(ENDED, "ended", 410)
    session = guest_session(link, request.COOKIES.get(COOKIE, ""))
    claimed = form.cleaned_data["conversation"]
    if claimed and (session is None or session.sender_id != claimed):
        return _refused(ELSEWHERE, "elsewhere", 403)
    if not _may_say(request, link, is_new=session is None):
        return _refused(TOO_MANY, "too-many", 429)
    try:
        claim(f"link:{link.pk}", form.cleaned_data["nonce"])
    except DomainError as error:
        return _refused(error.message, error.code, 409)
    return _say(link, code, session, form.cleaned_data["text"])


def _say(link: ShareLink, code: str, session: TalkSession | None, text: str) -> HttpResponse:
    """The cookie is set also when nobody answered: the next try belongs to the same conversation."""
    secret = ""
    if session is None:
        session, secret = begin_guest(link=link)
    addresses = _addresses(code, session)
    response: HttpResponse
    try:
        turn, seconds = say(session=session, text=text)
    except DomainError as error:
        status = 504 if error.code == "timeout" else 503
        response = _refused(AWAY, "away", status, addresses=addresses, conversation=session.sender_id)
    else:
        answer = messages.answer_json(_for_guest(turn), seconds, text)
        facts = {**answer, "addresses": addresses, "conversation": session.sender_id}
        response = _private(messages.AnswerJson(facts, session, text))
    if secret:
        _set_cookie(response, code, secret)
    return response


@login_not_required
@require_safe
def guest_news(request: HttpRequest, code: str) -> HttpResponse:
    link = _load(request, code)
    session = guest_session(link, request.COOKIES.get(COOKIE, ""))
    if state_of(link) is not LinkState.OPEN or session is None:
        return _refused(ENDED, "ended", 410)
    if request.GET.get("conversation") not in (None, session.sender_id):
        return _refused(ELSEWHERE, "elsewhere", 403)
    conversation = conversation_of(session)
    turns = turns_since(conversation, messages.after_of(request)) if conversation else []
    return _private(JsonResponse({"turns": [messages.turn_json(_for_guest(turn)) for turn in turns]}))


@login_not_required
@require_POST
def guest_again(request: HttpRequest, code: str) -> HttpResponse:
    """Begin anew: the old conversation stays with the team, this browser forgets it."""
    _load(request, code)
    response = HttpResponseRedirect(_page(code))
    response.delete_cookie(COOKIE, path=_page(code), samesite="Lax")
    return _private(response)


def _load(request: HttpRequest, code: str) -> ShareLink:
    """404 for a code that never was, 429 after too many of them.

    Guessing one of 128 bits is hopeless, so a right one is let through: guests can share an address with a guesser.
    """
    address = client_address(request)
    if not allow(f"guest-pages:{address}", ADDRESS_PAGES_A_MINUTE, 60):
        raise TooMany(TOO_MANY, 60)
    link = find_link(code)
    if link is not None:
        return link
    seconds = CODE_GUESSES.count(address)
    if seconds:
        raise TooMany("Too many links from here lead nowhere. Wait a few minutes, then try again.", seconds)
    raise Http404("There is no such link.")


def _may_say(request: HttpRequest, link: ShareLink, *, is_new: bool) -> bool:
    address = client_address(request)
    return (
        allow(f"guest-from:{address}", ADDRESS_MESSAGES_A_MINUTE, 60)
        and allow(f"guest-link:{link.pk}", LINK_MESSAGES_A_MINUTE, 60)
        and (not is_new or allow(f"guest-new:{address}", ADDRESS_CONVERSATIONS_AN_HOUR, 3600))
    )


def _for_guest(turn: Turn) -> Turn:
    """Without payloads that only a programmer reads."""
    answers = [_plain(answer) for answer in turn.answers]
    return replace(turn, answers=[answer for answer in answers if not answer.is_empty])


def _plain(message: Message) -> Message:
    return replace(message, custom="", action="", policy="")


def _addresses(code: str, session: TalkSession | None) -> dict[str, str]:
    news = reverse("conversations:guest-news", args=[code]) if session else ""
    return {"say": reverse("conversations:guest-say", args=[code]), "news": news, "page": ""}


def _page(code: str) -> str:
    return reverse("conversations:guest", args=[code])


def _set_cookie(response: HttpResponse, code: str, secret: str) -> None:
    response.set_cookie(
        COOKIE,
        secret,
        max_age=COOKIE_SECONDS,
        path=_page(code),
        httponly=True,
        secure=settings.SECURE_COOKIES,
        samesite="Lax",
    )


def _refused(message: str, code: str, status: int, **more: object) -> HttpResponse:
    return _private(messages.problem_json(message, code, status, **more))


def _private(response: HttpResponse) -> HttpResponse:
    """Nothing of a guest's chat is for search engines, or for a cache."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Cache-Control"] = "private, no-store"
    return response
