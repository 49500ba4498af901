"""The chat inside a page of another site: the script that the page loads, the frame, and what the frame asks.

Who the guest is says a header alone, so that a forged form has no power here and Django's CSRF cookie, which browsers
do not keep in a frame, is not needed. A page of another site can send no such header without our consent.
"""

import json
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from conversations.chat import guests
from conversations.chat.look import shades
from conversations.views import guest
from conversations.views.door import Door, is_from_here, open_door, private
from studio.web.middleware import content_security_policy

SCRIPT_SECONDS = 300
OURS = "#0b6e75"
_SCRIPT = settings.BASE_DIR / "static/js/widget.js"

Answer = Callable[[Door], HttpResponse]


@login_not_required
@require_safe
def widget(request: HttpRequest, code: str) -> HttpResponse:
    """The script for pages of other sites. The same for everybody: it reads no cookie and sets none."""
    door = open_door(request, code, is_embedded=True)
    on = shades(door.link.accent or OURS, is_dark=door.link.look == "dark")
    facts = {
        "chat": settings.PUBLIC_URL + door.path("chat"),
        "title": door.link.environment.assistant.title,
        "open": door.words["open_chat"],
        "close": door.words["close_chat"],
        "accent": on.accent,
        "onAccent": on.on,
    }
    script = _SCRIPT.read_text("utf-8").replace("PARLEY_FACTS", _safe(facts), 1)
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    response["Vary"] = "Accept-Language"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _safe(facts: dict[str, str]) -> str:
    """As JSON that ends no script element, should somebody put it into one."""
    return json.dumps(facts, ensure_ascii=True).replace("<", "\\u003c")


@login_not_required
@require_safe
@xframe_options_exempt  # whose pages may embed it is in the policy, which older browsers' header cannot say
def chat(request: HttpRequest, code: str) -> HttpResponse:
    """The frame: empty until its script has shown who the guest is."""
    door = open_door(request, code, is_embedded=True)
    context = {"door": door, "link": door.link, "words": door.words, "title": door.link.environment.assistant.title}
    response = private(render(request, "conversations/guest_embedded.html", context))
    response["Content-Security-Policy"] = content_security_policy(ancestors=" ".join(door.link.origins))
    return response


def _asked(answer: Answer) -> Callable[[HttpRequest, str], HttpResponse]:
    """A POST of the frame."""

    @csrf_exempt
    @login_not_required
    @require_POST
    @wraps(answer)
    def view(request: HttpRequest, code: str) -> HttpResponse:
        door = open_door(request, code, is_embedded=True)
        if not is_from_here(request):
            return door.refuse("bad_elsewhere", "elsewhere", 403)
        return answer(door)

    return view


def _open(door: Door) -> HttpResponse:
    """What stands in the frame, and for a new guest the secret by which they are known from now on."""
    secret = ""
    if not door.closed:
        secret = door.meet()
        door.wake()
    return _part(door, guest=secret)


def _part(door: Door, *, problem: str = "", **more: str) -> HttpResponse:
    context, _status = guest.inside(door, problem=problem)
    return private(JsonResponse({"html": render_to_string(str(context["part"]), context), **more}))


def _enter(door: Door) -> HttpResponse:
    problem = guest.enter(door)
    return _part(door, problem=problem) if problem else private(JsonResponse({"pass": guests.pass_of(door.link)}))


def _again(door: Door) -> HttpResponse:
    if door.guest is not None:
        guests.leave(door.guest)
    return private(JsonResponse({}))


opened = _asked(_open)
entered = _asked(_enter)
begun_again = _asked(_again)
said = _asked(guest.say_by)
rated = _asked(guest.rate_by)


@login_not_required
@require_safe
def news(request: HttpRequest, code: str) -> HttpResponse:
    return guest.news_by(open_door(request, code, is_embedded=True))
