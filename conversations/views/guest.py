"""The chat of guests who opened a share link, by whichever door: what they see, say, rate and start over."""

import time
from dataclasses import replace

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from conversations.chat import guests, once
from conversations.chat.links import LinkState
from conversations.chat.look import style_of
from conversations.chat.sending import MayBeHeard, say
from conversations.chat.sessions import has_changed
from conversations.chat.transcript import conversation_of, turns_since
from conversations.chat.turns import Turn
from conversations.forms.messages import LONGEST_MESSAGE, MessageForm
from conversations.models import TalkSession
from conversations.models.guests import LONGEST_COMMENT
from conversations.presentation import Message
from conversations.services import ratings
from conversations.services.ratings import Rate
from conversations.views import messages
from conversations.views.door import COOKIE, PASS_COOKIE, Door, open_door, private
from environments.services.address import WAKING, NoSlot
from studio.errors import DomainError
from studio.web.ratelimit import NotCounted, allow

ADDRESS_RATINGS_A_MINUTE = 60
STYLE_SECONDS = 300

# The words of a page without a chat, and its status.
_CLOSED = {
    LinkState.OFF: ("title_paused", "paused_heading", "paused_text", 410),
    LinkState.EXPIRED: ("title_ended", "title_ended", "ended_text", 410),
    LinkState.REVOKED: ("title_ended", "title_ended", "ended_text", 410),
    LinkState.GONE: ("title_ended", "title_ended", "ended_text", 410),
    "full": ("full_heading", "full_heading", "full_text", 403),
    "locked": ("locked_heading", "locked_heading", "locked_text", 200),
}
_REFUSED = {"full": ("bad_full", 403), "locked": ("bad_locked", 403)}


@login_not_required
@never_cache
@ensure_csrf_cookie
@require_safe
def guest(request: HttpRequest, code: str) -> HttpResponse:
    door = open_door(request, code)
    context, status = inside(door)
    return private(render(request, "conversations/guest.html", context, status=status))


def inside(door: Door, *, problem: str = "") -> tuple[dict[str, object], int]:
    """What stands on the page, and its status."""
    words, closed = door.words, door.closed
    shell = {"door": door, "link": door.link, "words": words, "problem": problem}
    if closed:
        title, heading, text, status = _CLOSED[closed]
        part = "conversations/_guest_locked.html" if closed == "locked" else "conversations/_guest_closed.html"
        about = {"title": words[title], "heading": words[heading], "text": words[text], "part": part}
        return shell | about, 422 if problem else status
    session = door.session
    turns, _conversation = messages.history(session) if session else ([], None)
    if session is not None and door.link.takes_ratings:
        ratings.settle(session)
    title = door.link.environment.assistant.title
    return shell | {
        "part": "conversations/_guest_chat.html",
        "title": title,
        "chat_label": words.say("chat_with", title=title),
        "session": session,
        "after": messages.place_of(turns),
        "turns": _with_rates(door, session, turns),
        "has_changed": session is not None and has_changed(session, door.link),
        "addresses": _addresses(door, session),
        "longest": LONGEST_MESSAGE,
    }, 200


def _with_rates(door: Door, session: TalkSession | None, turns: list[Turn]) -> list[tuple[Turn, Rate | None]]:
    rates: list[Rate | None] = [None] * len(turns)
    if session is not None and door.link.takes_ratings:
        rates = ratings.rates_of(session, turns)
    return [(_for_guest(turn), rate) for turn, rate in zip(turns, rates, strict=True)]


@login_not_required
@require_POST
def guest_hello(request: HttpRequest, code: str) -> HttpResponse:
    """The page's script says that somebody looks at it: programs that fetch a link to show it do not."""
    door = open_door(request, code)
    response: HttpResponse = JsonResponse({})
    if not door.closed:
        door.remember(response, COOKIE, door.meet())
        door.wake()
    return private(response)


@login_not_required
@require_POST
def guest_password(request: HttpRequest, code: str) -> HttpResponse:
    door = open_door(request, code)
    problem = enter(door)
    if problem:
        context, status = inside(door, problem=problem)
        return private(render(request, "conversations/guest.html", context, status=status))
    response = HttpResponseRedirect(door.page)
    door.remember(response, PASS_COOKIE, guests.pass_of(door.link))
    return private(response)


def enter(door: Door) -> str:
    """What is wrong with the password that was sent; empty when it is the link's, or there is none."""
    if not door.link.password:
        return ""
    typed = door.request.POST.get("password", "")[:200]
    try:
        is_right, seconds = guests.try_password(door.link, door.address, typed)
    except NotCounted:
        return door.words["cannot_check"]
    if seconds:
        return door.words.say("wait_guess", minutes=-(-seconds // 60))
    return "" if is_right else door.words["wrong_password"]


@login_not_required
@require_POST
def guest_say(request: HttpRequest, code: str) -> HttpResponse:
    return say_by(open_door(request, code))


def say_by(door: Door) -> HttpResponse:
    form = MessageForm(door.request.POST)
    if not form.is_valid():
        return door.refuse("bad_long" if form.is_too_long else "bad_empty", "invalid", 422, count=LONGEST_MESSAGE)
    refused = _why_not(door)
    if refused:
        return refused
    session, claimed = door.session, form.cleaned_data["conversation"]
    if claimed and (session is None or session.sender_id != claimed):
        return door.refuse("bad_elsewhere", "elsewhere", 403)
    if door.is_asleep and door.wake():  # before anything is counted: the page sends the same again until it answers
        return door.refuse("bad_waking", WAKING, 202)
    if not guests.may_say(door.link, door.guest, door.address, is_new=session is None):
        return door.refuse("bad_many", "too-many", 429)
    claim = f"guest:{door.guest.pk}" if door.guest else f"link:{door.link.pk}", form.cleaned_data["nonce"]
    try:
        known = once.claim(*claim)
    except DomainError as error:
        return door.refuse("bad_twice", error.code, 409)
    if known is not None:
        return _repeat(door, known)
    return _say(door, form.cleaned_data["text"], claim)


def _why_not(door: Door) -> HttpResponse | None:
    closed = door.closed
    if not closed:
        return None
    name, status = _REFUSED.get(closed, ("bad_ended", 410))
    return door.refuse(name, closed if closed in _REFUSED else "ended", status)


def _repeat(door: Door, known: once.Json) -> HttpResponse:
    """With the answer that was lost on the way also a new guest's secret was."""
    door.secret = str(known.pop("guest", ""))
    response = private(JsonResponse({**known, **door.introduction, "repeated": True}))
    door.remember(response, COOKIE, door.secret)
    return response


def _say(door: Door, text: str, claim: tuple[str, str]) -> HttpResponse:
    """The browser gets its secret also when nobody answered: the next try belongs to the same conversation."""
    try:
        with once.or_else(once.release, *claim):
            session = _begun(door)
    except DomainError as error:
        once.release(*claim)
        facts = {"count": door.link.messages_limit, **door.introduction}
        response = door.refuse(f"bad_{error.code}", error.code, 403, **facts)
    else:
        with once.or_else(once.lose, *claim):
            response = _answer(door, session, text, claim)
    door.remember(response, COOKIE, door.secret)
    return response


def _begun(door: Door) -> TalkSession:
    """The guest's chat, with one more message counted. Raises Full, Enough."""
    if door.guest is None:
        door.meet_new()
    assert door.guest is not None
    session = door.session or guests.begin(guest=door.guest, link=door.link)
    guests.count_message(door.guest, door.link)
    return session


def _answer(door: Door, session: TalkSession, text: str, claim: tuple[str, str]) -> HttpResponse:
    place = {"addresses": _addresses(door, session), "conversation": session.sender_id, **door.introduction}
    assert door.guest is not None
    try:
        turn, seconds = say(session=session, text=text)
    except DomainError as error:
        if isinstance(error, MayBeHeard):
            once.lose(*claim)
            return door.refuse("bad_timeout", "timeout", 504, **place)
        once.release(*claim)
        guests.uncount_message(door.guest)
        if (isinstance(error, NoSlot) or error.code == "refused") and door.wake():  # it ended in this moment
            return door.refuse("bad_waking", WAKING, 202, **place)
        return door.refuse("bad_away", "away", 503, **place)
    answer = messages.answer_json(_for_guest(turn), seconds, text, words=door.words)
    if door.link.takes_ratings and turn.answers and not turn.restarted:
        rate = Rate(ratings.receipt_for(session, text, time.time()))
        answer["html"] = f"{answer['html']}{_rate_html(door, rate)}"
    facts = {**answer, **place, "changed": has_changed(session, door.link)}
    once.keep(*claim, {**facts, "guest": door.secret})
    return private(messages.AnswerJson(facts, session, text))


@login_not_required
@require_safe
def guest_news(request: HttpRequest, code: str) -> HttpResponse:
    return news_by(open_door(request, code))


def news_by(door: Door) -> HttpResponse:
    session = door.session
    if door.closed or session is None:
        return door.refuse("bad_ended", "ended", 410)
    if door.request.GET.get("conversation") not in (None, session.sender_id):
        return door.refuse("bad_elsewhere", "elsewhere", 403)
    conversation = conversation_of(session)
    turns = turns_since(conversation, messages.after_of(door.request)) if conversation else []
    if turns and door.link.takes_ratings:
        ratings.settle(session)
    told = [_told(door, turn, rate) for turn, rate in _with_rates(door, session, turns)]
    return private(JsonResponse({"turns": told, "changed": has_changed(session, door.link)}))


def _told(door: Door, turn: Turn, rate: Rate | None) -> dict[str, object]:
    facts = messages.turn_json(turn, words=door.words)
    return {**facts, "html": f"{facts['html']}{_rate_html(door, rate)}"}


def _rate_html(door: Door, rate: Rate | None) -> str:
    context = {"rate": rate, "words": door.words, "longest_comment": LONGEST_COMMENT}
    return render_to_string("conversations/_rate.html", context) if rate is not None else ""


@login_not_required
@require_POST
def guest_rate(request: HttpRequest, code: str) -> HttpResponse:
    return rate_by(open_door(request, code))


def rate_by(door: Door) -> HttpResponse:
    """What a guest thinks of one reply of their own chat."""
    session, given = door.session, door.request.POST
    if door.closed or session is None or not door.link.takes_ratings:
        return door.refuse("rate_gone", "gone", 410)
    if not allow(f"guest-rates:{door.address}", ADDRESS_RATINGS_A_MINUTE, 60):
        return door.refuse("bad_many", "too-many", 429)
    key, value, comment = (given.get(name, "").replace("\0", "") for name in ("key", "value", "comment"))
    try:
        ratings.rate(session=session, link=door.link, key=key, value=value, comment=comment)
    except DomainError as error:
        name, status = ("rate_gone", 410) if error.code == "gone" else ("rate_failed", 422)
        return door.refuse(name, error.code, status)
    return private(JsonResponse({"said": door.words["rate_thanks"] if value else ""}))


@login_not_required
@require_POST
def guest_again(request: HttpRequest, code: str) -> HttpResponse:
    """Begin anew: the old conversation stays with the team, this browser forgets it."""
    door = open_door(request, code)
    if door.guest is not None:
        guests.leave(door.guest)
    return private(HttpResponseRedirect(door.page))


@login_not_required
@require_safe
def guest_style(request: HttpRequest, code: str) -> HttpResponse:
    """The link's colours, for both doors. Its address changes with them."""
    link = open_door(request, code).link
    style = style_of(link.accent, link.look) if link.accent else ""
    response = HttpResponse(style, content_type="text/css")
    response["Cache-Control"] = f"private, max-age={STYLE_SECONDS}"
    return response


def _for_guest(turn: Turn) -> Turn:
    """Without payloads that only a programmer reads."""
    answers = [_plain(answer) for answer in turn.answers]
    return replace(turn, answers=[answer for answer in answers if not answer.is_empty])


def _plain(message: Message) -> Message:
    return replace(message, custom="", action="", policy="")


def _addresses(door: Door, session: TalkSession | None) -> dict[str, str]:
    return {"say": door.path("say"), "news": door.path("news") if session else "", "page": ""}
