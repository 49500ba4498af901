"""Chat: with an environment's assistant, or with one of its models, as oneself or as a guest of a share link."""

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from conversations.api.guests import GuestAuth, SignedGuest, say_as_guest
from conversations.api.talking import BotMessage, Saying, say_in
from conversations.chat.sessions import last_of_program
from conversations.chat.targets import Kind, Target, target_of
from conversations.loaders import load_own_talk, load_target
from models_app.api.paths import of_each
from models_app.services.assistants import DEFAULT_SLUG
from studio.access.api_auth import TokenAuth
from studio.access.loaders import signed_in
from studio.web.api import repeats

router = Router(tags=["chat"])


class ChatMessage(Saying):
    """Without `conversation_id` the last conversation that the token's person began so goes on, unless `is_new`."""

    conversation_id: str | None = Field(None, max_length=255)
    is_new: bool = False


class With(Schema):
    """Whom one talks to: an environment's live model, or one `model` whether it is live or not."""

    environment: str = "production"
    model: str = ""


@of_each(
    router.post,
    "/chat",
    summary="Say something to an assistant",
    url_name="chat",
    auth=[GuestAuth(), TokenAuth()],
    response=list[BotMessage],
    openapi_extra=repeats.OWN,
)
def chat(request: HttpRequest, slug: Path[str], body: ChatMessage, to: Query[With]) -> HttpResponse:
    """Answers what the assistant says; `[]` while it has no model. `X-Conversation-Id`, and each message's
    `recipient_id`, is the conversation's id. A message is never sent twice with the same `nonce` or Idempotency-Key;
    409 when another was.

    With the token of `POST /api/auth/jwt` a guest speaks, in that conversation alone.
    """
    if isinstance(request.auth, SignedGuest):  # type: ignore[attr-defined]
        if slug != DEFAULT_SLUG:
            raise Http404("Guests talk at /api/chat.")
        return say_as_guest(request, request.auth, body, body.conversation_id)  # type: ignore[attr-defined]
    if body.conversation_id:
        session = load_own_talk(request, slug, body.conversation_id)
        return say_in(request, body, target_of(session), session, named=session.sender_id)
    person = signed_in(request)
    kind, name = (Kind.MODEL, to.model) if to.model else (Kind.ENVIRONMENT, to.environment)
    target: Target = load_target(request, slug, kind, name)
    return say_in(request, body, target, None if body.is_new else last_of_program(person, target))
