"""What a person may see of conversations, closed by default, and how lists narrow it down."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from conversations.limits import own
from studio.access.permissions import Permission

if TYPE_CHECKING:
    from conversations.models import (  # noqa: F401 - named in quotes below
        Conversation,
        Correction,
        DeadLetter,
        DeadLetterRun,
        ErasureRun,
        ExportRun,
        SavedFilter,
    )
    from studio.access.models import User


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Conversations where the person may view them, and those they held themselves where they may talk."""
        if isinstance(user, AnonymousUser):
            return self.none()
        own = Q(talker=user) & (_where(user, Permission.TALK) or Q())
        everybodys = _where(user, Permission.CONVERSATIONS_VIEW)
        return self if everybodys is None else self.filter(everybodys | own)

    def erasable_by(self, user: "User | AnonymousUser") -> Self:
        """Those that the person may see, and delete."""
        if isinstance(user, AnonymousUser):
            return self.none()
        where = _where(user, Permission.CONVERSATIONS_ERASE)
        seen = self.visible_to(user)
        return seen if where is None else seen.filter(where)

    def flagged(self) -> Self:
        """Flagged themselves, or in one of their messages."""
        return self.filter(is_flagged=True)

    def tagged(self, name: str) -> Self:
        """With that tag on themselves, or on one of their messages.

        Not by the column: PostgreSQL has no statistics of its rare values, and for one of them it would look at every
        tagged conversation. The second condition is that of the index by which common tags are found.
        """
        from conversations.models import Mark

        marks = Mark.objects.filter(
            assistant=OuterRef("assistant"), conversation=OuterRef("pk"), kind=Mark.Kind.TAG, name=name
        )
        return self.filter(Exists(marks)).exclude(tags=[])

    def in_review(self, state: str) -> Self:
        """`reviewed`, `saved`, or empty for those that the team has not looked at, which are nearly all."""
        return self.filter(review_state=state)

    def unread_by(self, person: "User") -> Self:
        """What the person never opened, and what went on since they did."""
        from conversations.models import ReadMark

        read = ReadMark.objects.filter(
            person=person, conversation=OuterRef("pk"), read_until__gte=OuterRef("last_event_at")
        )
        return self.filter(~Exists(read))

    def with_read_until(self, person: "User") -> Self:
        """With `read_until`, None for what the person never opened."""
        from conversations.models import ReadMark

        read = ReadMark.objects.filter(person=person, conversation=OuterRef("pk"))
        return self.annotate(read_until=Subquery(read.values("read_until")))

    def for_rows(self, person: "User") -> Self:
        """With what a row of the list says besides: also `model_name` of the last model, None for one that was never
        here."""
        from conversations.naming import models_of

        named = models_of(OuterRef("assistant"), OuterRef("last_model_id")).values("name")
        return self.with_read_until(person).annotate(model_name=Subquery(named[:1]))


class CorrectionQuerySet(models.QuerySet["Correction"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Corrections of messages of conversations where the person may view everybody's."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, environments = user.environments_with(Permission.CONVERSATIONS_VIEW)
        if assistants is None:
            return self
        return self.filter(Q(assistant_id__in=assistants) | Q(conversation__environment_id__in=environments))

    def waiting(self) -> Self:
        return self.filter(state="pending")


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Letters of places where the person may view conversations: a letter holds what somebody said there.

        One that names no environment of ours is for those who may view them in the whole assistant.
        """
        if isinstance(user, AnonymousUser):
            return self.none()
        where = _where(user, Permission.CONVERSATIONS_VIEW)
        return self if where is None else self.filter(where)

    def handled_by(self, user: "User | AnonymousUser") -> Self:
        """Those of them that the person may also edit, try again and discard."""
        if isinstance(user, AnonymousUser):
            return self.none()
        where = _where(user, Permission.CONVERSATIONS_FLAG)
        seen = self.visible_to(user)
        return seen if where is None else seen.filter(where)

    def waiting(self) -> Self:
        return self.filter(state="waiting")

    def light(self) -> Self:
        """Without the bytes, which can be megabytes each: for lists."""
        return self.defer("record", "edited")


class DeadLetterRunQuerySet(models.QuerySet["DeadLetterRun"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """One's own; those of others to people who see all letters of the assistant, because they are counted there."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, _ = user.environments_with(Permission.CONVERSATIONS_VIEW)
        return self if assistants is None else self.filter(own(user) | Q(assistant_id__in=assistants))


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """One's own; and shared ones, of assistants in which the person may see conversations of others somewhere."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, environments = user.environments_with(Permission.CONVERSATIONS_VIEW)
        shared = Q(is_shared=True)
        if assistants is not None:
            shared &= Q(assistant__in=assistants) | Q(assistant__environments__in=environments)
        return self.filter(pk__in=self.model._default_manager.filter(Q(owner=user) | shared).values("pk"))


class ErasureRunQuerySet(models.QuerySet["ErasureRun"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """One's own; all of an assistant to people who may delete everywhere in it."""
        if isinstance(user, AnonymousUser):
            return self.none()
        assistants, _ = user.environments_with(Permission.CONVERSATIONS_ERASE)
        return self if assistants is None else self.filter(own(user) | Q(assistant_id__in=assistants))


class ExportRunQuerySet(models.QuerySet["ExportRun"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """One's own alone: a file holds what its maker may see, with the token that asked for it."""
        return self.none() if isinstance(user, AnonymousUser) else self.filter(own(user))


def _where(user: "User", permission: Permission) -> Q | None:
    """Condition on conversations and dead letters: of places where `permission` is held; None for everywhere."""
    assistants, environments = user.environments_with(permission)
    if assistants is None:
        return None  # and not an empty Q, which beside another in `|` would not mean everything
    return Q(assistant_id__in=assistants) | Q(environment_id__in=environments)
