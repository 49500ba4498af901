"""Conversations that somebody holds through us. Each has an id of its own that nobody can guess."""

import secrets
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from conversations.chat.targets import Kind, Target
from conversations.models import ShareGuest, ShareLink, TalkSession
from models_app.models import Model
from studio.access.models import User

TITLE_LENGTH = 200
OF_PROGRAM = "chat"


def begin_talk(*, actor: User, target: Target, prefix: str = "talk") -> TalkSession:
    return TalkSession.objects.create(
        environment=target.environment, model=target.model, sender_id=_new_id(prefix), person=actor
    )


def last_of_program(person: User, target: Target) -> TalkSession | None:
    """The talk that goes on when a program names none: the last one that it began so."""
    talks = own_talks(person, target).filter(sender_id__startswith=f"{OF_PROGRAM}-")
    return talks.select_related("environment__server").order_by("-pk").first()


def begin_guest(*, link: ShareLink, guest: ShareGuest) -> TalkSession:
    """A guest's conversation. Only chat/guests.py calls it: whoever is one too many gets none."""
    return TalkSession.objects.create(
        environment=link.environment,
        model=link.model,
        sender_id=_new_id("guest"),
        share_link=link,
        guest=guest,
        began_with_id=live_model_id(link),
    )


def live_model_id(link: ShareLink) -> int | None:
    """What answers the link's guests now."""
    if link.model_id is not None:
        return link.model_id
    tag = link.environment.tag
    return tag.model_id if tag is not None else None


def has_changed(session: TalkSession, link: ShareLink) -> bool:
    """Whether another model answers than when the chat began."""
    live = live_model_id(link)
    return None not in (session.began_with_id, live) and session.began_with_id != live


def own_talks(person: User, target: Target) -> QuerySet[TalkSession]:
    rows = TalkSession.objects.filter(person=person, environment=target.environment, model=target.model)
    return rows.select_related("environment__assistant", "model")


def own_talk(person: User, slug: str, kind: Kind, name: str, sender: str) -> TalkSession | None:
    """Their conversation with all that a message needs, in one query: it is asked at every message."""
    of_model = {"model__name": name, "model__deleted_at": None}
    named = of_model if kind is Kind.MODEL else {"environment__name": name, "model": None}
    talks = TalkSession.objects.filter(
        person=person,
        sender_id=sender,
        environment__removed_at=None,
        environment__assistant__slug=slug,
        environment__assistant__deleted_at=None,
        **named,
    )
    return talks.select_related("environment__assistant", "environment__server", "model").defer("model__domain").first()


def others_speak(person: User, model: Model, within: timedelta) -> bool:
    """Whether somebody else, or a guest, said something to the model's slot lately."""
    lately = TalkSession.objects.filter(model=model, last_at__gt=timezone.now() - within)
    return lately.exclude(person=person).exists()


def note_said(session: TalkSession, text: str) -> None:
    """The first text stands for the conversation in lists; the time orders them. One erased meanwhile stays so."""
    _note(session, text, last_at=timezone.now())


def note_answered(session: TalkSession, text: str) -> None:
    """As `note_said`, of what an answer came to: now its events should come, too."""
    now = timezone.now()
    _note(session, text, last_at=now, answered_at=now)


def _note(session: TalkSession, text: str, **times: datetime) -> None:
    session.first_text = session.first_text or text[:TITLE_LENGTH]
    TalkSession.objects.filter(pk=session.pk).update(first_text=session.first_text, **times)


def _new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(16)}"
