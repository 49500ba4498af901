"""Taking back what was said in one's own Talk."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from conversations.chat.rewinding import TakenBack, take_back
from conversations.chat.sending import NotAnswered
from conversations.chat.talking import refuse_flood
from conversations.chat.targets import Kind
from conversations.chat.transcript import remembered
from conversations.views import messages
from conversations.views.talk import load_own
from studio.access.loaders import signed_in
from studio.errors import DomainError
from studio.web.ratelimit import TooMany


@require_POST
def rewind(request: HttpRequest, slug: str, name: str, kind: Kind, sender: str) -> JsonResponse:
    """From the turn on that `turn` names, the last one when it is empty. The conversation anew, and the text."""
    session = load_own(request, slug, kind, name, sender)
    try:
        refuse_flood(signed_in(request))
        taken = take_back(session=session, place=request.POST.get("turn", ""))
    except TooMany as error:
        return messages.problem_json(error.message, "too-many", 429)
    except DomainError as error:
        return messages.problem_json(error.message, error.code, 502 if isinstance(error, NotAnswered) else 409)
    turns = remembered(session) or messages.history(session)[0]
    return JsonResponse({**messages.log_json(turns), "text": taken.text, "told": _told(taken)})


def _told(taken: TakenBack) -> str:
    return "Taken back." if taken.count < 2 else f"{taken.count} messages taken back."
