"""By which door a guest comes in, and what a page behind it is made of.

By the link's own page a cookie proves who they are. In a page of another site browsers keep none of ours, so there the
page's script keeps a secret and sends it in a header; cookies count for nothing then (docs/decisions/0015).
"""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from conversations.chat import guests
from conversations.chat.links import LinkState, find_link, state_of
from conversations.chat.words import Words, asked_for, spoken, words_of
from conversations.models import ShareGuest, ShareLink, TalkSession
from conversations.views import messages
from environments.services import slots
from studio.web.addresses import client_address
from studio.web.ratelimit import TooMany, Window, allow

COOKIE, PASS_COOKIE = "parley_guest", "parley_pass"
GUEST_HEADER, PASS_HEADER = "X-Parley-Guest", "X-Parley-Pass"
COOKIE_SECONDS = 90 * 24 * 3600
PASS_SECONDS = 30 * 24 * 3600
ADDRESS_PAGES_A_MINUTE = 1200  # of whom nobody knows
GUEST_PAGES_A_MINUTE = 240  # with what their script asks
CODE_GUESSES = Window("share-code-guesses", most=30, seconds=600)  # of one address
# What static/js/chat.js and rating.js say by themselves.
_SCRIPTS = ("bad_", "rate_", "offline", "waiting", "slow", "changed", "begin_anew")


@dataclass(slots=True)
class Door:
    """One request of a guest. `closed` says why nobody, or not this one, may chat: `locked`, `full` or a LinkState."""

    request: HttpRequest
    code: str
    link: ShareLink
    is_embedded: bool
    guest: ShareGuest | None
    secret: str = ""  # of a guest whom this request met

    @property
    def words(self) -> Words:
        return words_of(self.link.language or spoken(self.request.headers.get("Accept-Language", "")))

    @property
    def session(self) -> TalkSession | None:
        return guests.session_of(self.guest, self.link)

    @property
    def closed(self) -> str:
        state = state_of(self.link)
        if state is not LinkState.OPEN:
            return str(state)
        if not guests.may_pass(self.link, self._shown_pass):
            return "locked"
        return "full" if guests.is_full_for(self.guest, self.link) else ""

    @property
    def _shown_pass(self) -> str:
        if self.is_embedded:
            return self.request.headers.get(PASS_HEADER, "")
        return self.request.COOKIES.get(PASS_COOKIE, "")

    @property
    def address(self) -> str | None:
        return client_address(self.request)

    def path(self, name: str) -> str:
        return reverse(f"conversations:{'embed' if self.is_embedded else 'guest'}-{name}", args=[self.code])

    @property
    def page(self) -> str:
        return reverse("conversations:guest", args=[self.code])

    def meet(self) -> str:
        """Note that a browser came, for the first time or again; the secret of a new one, else nothing."""
        if self.guest is not None:
            guests.come_back(self.guest)
            return ""
        if not guests.may_meet(self.address):
            return ""  # one who writes is met then
        return self.meet_new()

    def meet_new(self) -> str:
        headers = self.request.headers
        about = guests.About(
            language=asked_for(headers.get("Accept-Language", "")),
            device=guests.device_of(headers.get("User-Agent", "")),
            is_embedded=self.is_embedded,
        )
        self.guest, self.secret = guests.meet(link=self.link, about=about)
        return self.secret

    @property
    def introduction(self) -> dict[str, str]:
        """For the answer: the secret of a guest just met, where no cookie can hold it."""
        return {"guest": self.secret} if self.secret and self.is_embedded else {}

    @property
    def is_asleep(self) -> bool:
        """Whether the link is for one model and no slot serves that now."""
        return self.link.model_id is not None and not slots.answers(self.link.model_id)

    def wake(self) -> bool:
        return guests.wake(self.link)

    @property
    def script_words(self) -> str:
        """As JSON."""
        words = self.words.sentences
        return json.dumps({name: words[name] for name in words if name.startswith(_SCRIPTS)}, ensure_ascii=False)

    def remember(self, response: HttpResponse, name: str, value: str) -> None:
        """Give the browser a cookie of this link's own."""
        if value and not self.is_embedded:
            response.set_cookie(
                name,
                value,
                max_age=COOKIE_SECONDS if name == COOKIE else PASS_SECONDS,
                path=self.page,
                httponly=True,
                secure=settings.SECURE_COOKIES,
                samesite="Lax",
            )

    def refuse(self, name: str, code: str, status: int, **more: object) -> HttpResponse:
        """A sentence of the guest's language, as JSON."""
        facts = {key: more.pop(key) for key in ("count", "minutes") if key in more}
        return private(messages.problem_json(self.words.say(name, **facts), code, status, **more))


def open_door(request: HttpRequest, code: str, *, is_embedded: bool = False) -> Door:
    """404 for a code that never was, 429 after too many of them.

    Guessing one of 128 bits is hopeless, so a right one is let through: guests can share an address with a guesser.
    Those who are known are counted each for themselves: a whole school can share an address.
    """
    address = client_address(request)
    secret = request.headers.get(GUEST_HEADER, "") if is_embedded else request.COOKIES.get(COOKIE, "")
    link = find_link(code) if secret else None
    guest = guests.find_guest(link, secret) if link is not None else None
    who, limit = (guest.pk, GUEST_PAGES_A_MINUTE) if guest else (address, ADDRESS_PAGES_A_MINUTE)
    if not allow(f"guest-pages:{'guest' if guest else 'from'}:{who}", limit, 60):
        raise TooMany("That was quick. Wait a minute before you go on.", 60)
    link = link or find_link(code)
    if link is None:
        raise _nowhere(address)
    if is_embedded and not link.origins:
        raise Http404("This link is on no other site.")
    return Door(request, code, link, is_embedded, guest)


def _nowhere(address: str | None) -> Exception:
    seconds = CODE_GUESSES.count(address)
    if seconds:
        return TooMany("Too many links from here lead nowhere. Wait a few minutes, then try again.", seconds)
    return Http404("There is no such link.")


def is_from_here(request: HttpRequest) -> bool:
    """Whether a page of ours made the request; browsers say where a POST comes from."""
    origin = request.headers.get("Origin", "")
    return not origin or urlsplit(origin).netloc == request.get_host()


def private(response: HttpResponse) -> HttpResponse:
    """Nothing of a guest's chat is for search engines, or for a cache."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Cache-Control"] = "private, no-store"
    return response
