"""What a person may see of conversations, closed by default, and how lists narrow it down."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from conversations.models import Conversation  # noqa: F401 - named in quotes below
    from studio.access.models import User


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Conversations where the person may view them, and those they held themselves where they may talk."""
        if isinstance(user, AnonymousUser):
            return self.none()
        own = Q(talker=user) & (_where(user, Permission.TALK) or Q())
        everybodys = _where(user, Permission.CONVERSATIONS_VIEW)
        return self if everybodys is None else self.filter(everybodys | own)

    def saying(self, text: str) -> Self:
        """Where a person or the assistant said something that contains `text`, in capitals or not."""
        from conversations.models import Event

        said = Event.objects.filter(
            conversation=OuterRef("pk"), kind__in=("user", "bot", "agent"), text__icontains=text
        )
        return self.filter(Exists(said))


def _where(user: "User", permission: Permission) -> Q | None:
    """Condition on conversations: those of places where `permission` is held; None when that is everywhere."""
    assistants, environments = user.environments_with(permission)
    if assistants is None:
        return None  # and not an empty Q, which beside another in `|` would not mean everything
    return Q(assistant_id__in=assistants) | Q(environment_id__in=environments)
