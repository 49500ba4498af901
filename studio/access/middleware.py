"""Every web request of a signed-in browser: note that it is in use, and ask whether it still may be."""

import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from studio.access.services import renewal, sessions

GetResponse = Callable[[HttpRequest], HttpResponse]


class BrowserSessionMiddleware:
    """Looks at a session once a minute in each process: all other requests cost a dictionary look-up, and no SQL."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._looked: dict[int, float] = {}
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not _is_by_itself(request):
            session_id = request.session.get(sessions.MARK)
            if session_id is not None and self._is_time_to_look(session_id) and not _may_go_on(session_id):
                logout(request)
        return self.get_response(request)

    def _is_time_to_look(self, session_id: int) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._looked.get(session_id, float("-inf")) < sessions.SEEN_EVERY.total_seconds():
                return False
            if len(self._looked) > 10_000:
                self._looked.clear()
            self._looked[session_id] = now
            return True


def _is_by_itself(request: HttpRequest) -> bool:
    """A page that asks for news every few seconds is not a person who is there."""
    return request.method == "GET" and request.headers.get("HX-Request") == "true"


def _may_go_on(session_id: int) -> bool:
    sessions.seen(session_id)
    return renewal.catch_up(session_id)
