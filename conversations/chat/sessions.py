"""Conversations that somebody holds through us. Each has an id of its own that nobody can guess."""

import secrets

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from conversations.chat.targets import Kind, Target
from conversations.models import ShareLink, TalkSession
from studio.access.models import User
from studio.crypto import digest

TITLE_LENGTH = 200


def begin_talk(*, actor: User, target: Target) -> TalkSession:
    return TalkSession.objects.create(
        environment=target.environment, model=target.model, sender_id=_new_id("talk"), person=actor
    )


@transaction.atomic
def begin_guest(*, link: ShareLink) -> tuple[TalkSession, str]:
    """A guest's conversation and the secret that proves it is theirs; only its digest is kept."""
    secret = secrets.token_urlsafe(32)
    session = TalkSession.objects.create(
        environment=link.environment, sender_id=_new_id("guest"), share_link=link, guest_digest=digest(secret)
    )
    return session, secret


def own_talks(person: User, target: Target) -> QuerySet[TalkSession]:
    rows = TalkSession.objects.filter(person=person, environment=target.environment, model=target.model)
    return rows.select_related("environment__assistant", "model")


def own_talk(person: User, slug: str, kind: Kind, name: str, sender: str) -> TalkSession | None:
    """Their conversation with all that a message needs, in one query: it is asked at every message."""
    named = {"model__name": name} if kind is Kind.MODEL else {"environment__name": name, "model": None}
    talks = TalkSession.objects.filter(
        person=person,
        sender_id=sender,
        environment__removed_at=None,
        environment__assistant__slug=slug,
        environment__assistant__deleted_at=None,
        **named,
    )
    return talks.select_related("environment__assistant", "environment__server", "model").defer("model__domain").first()


def guest_session(link: ShareLink, secret: str) -> TalkSession | None:
    """The conversation that this secret opens on this link, and no other; none from before the link moved."""
    if not secret:
        return None
    sessions = TalkSession.objects.filter(share_link=link, environment=link.environment, guest_digest=digest(secret))
    session = sessions.first()
    if session is not None:
        session.environment = link.environment  # which came with the link
    return session


def note_said(session: TalkSession, text: str) -> None:
    """The first text stands for the conversation in lists; the time orders them. One erased meanwhile stays so."""
    session.first_text = session.first_text or text[:TITLE_LENGTH]
    TalkSession.objects.filter(pk=session.pk).update(first_text=session.first_text, last_at=timezone.now())


def _new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(16)}"
