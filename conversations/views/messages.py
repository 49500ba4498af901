"""What Talk and the guests' chat answer to static/js/chat.js."""

from collections.abc import Iterable

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string

from conversations.chat.sessions import note_answered
from conversations.chat.transcript import conversation_of, remembered, turns_since
from conversations.chat.turns import RESTART, Turn, grouped
from conversations.chat.words import Words
from conversations.models import Conversation, TalkSession

Json = dict[str, object]

log = structlog.get_logger()


class AnswerJson(JsonResponse):
    """The answer to a message. That it was said is written when the answer is out, which then waits for no disk."""

    def __init__(self, data: Json, session: TalkSession, text: str) -> None:
        super().__init__(data)
        self._session, self._text = session, text

    def close(self) -> None:
        try:
            note_answered(self._session, self._text)
        except DatabaseError:  # the answer is out, and the events bring the text
            log.exception("what was said is not listed", session=self._session.pk)
        finally:
            super().close()


def answer_json(turn: Turn, seconds: float, sent: str, *, words: Words | None = None) -> Json:
    """A turn just answered: the page shows what was sent by itself. `words`: of a guest's language."""
    turn.restarted = sent == RESTART
    context = {"turn": turn, "took": seconds, "just_answered": True, "words": words}
    html = render_to_string("conversations/_turn.html", context)
    return {"html": html, "said": turn.said, "seconds": round(seconds, 3)}


def turn_json(turn: Turn, *, words: Words | None = None) -> Json:
    """A turn as its events have it."""
    html = render_to_string("conversations/_turn.html", {"turn": turn, "words": words})
    return {
        "html": html,
        "text": turn.sent or None,
        "said": turn.said,
        "complete": turn.complete,
        "ends_at": repr(turn.ends_at),
        "place": turn.place,
    }


def log_json(turns: list[Turn]) -> Json:
    """The whole conversation anew, for a page in which something was taken back."""
    html = render_to_string("conversations/_log.html", {"stretches": grouped(turns)})
    return {"log": html, "after": place_of(turns)}


def problem_json(message: str, code: str, status: int, **more: object) -> JsonResponse:
    return JsonResponse({"error": message, "code": code, **more}, status=status)


def after_of(request: HttpRequest) -> float:
    """The place in the conversation that the page has come to; 0 for none."""
    try:
        return float(request.GET.get("after", ""))
    except ValueError:
        return 0.0


def history(session: TalkSession) -> tuple[list[Turn], Conversation | None]:
    """What a page that opens shows, and the conversation when events of it have arrived."""
    conversation = conversation_of(session)
    if conversation is None:
        return remembered(session), None
    return _whole(turns_since(conversation, 0.0)), conversation


def _whole(turns: list[Turn]) -> list[Turn]:
    """Without a turn whose events are still arriving: it comes whole with the news."""
    return [turn for turn in turns if turn.complete]


def place_of(turns: Iterable[Turn]) -> str:
    """Where the news go on."""
    return repr(max((turn.ends_at for turn in turns), default=0.0))
