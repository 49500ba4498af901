"""What a person may see of conversations. Closed by default."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from studio.access.permissions import Permission

if TYPE_CHECKING:
    from conversations.models import Conversation  # noqa: F401 - named in quotes below
    from studio.access.models import User


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Conversations where the person may view them, and always those they held themselves."""
        if isinstance(user, AnonymousUser):
            return self.none()
        own = models.Q(talker=user)
        assistants, environments = user.environments_with(Permission.CONVERSATIONS_VIEW)
        if assistants is None:
            return self
        return self.filter(models.Q(assistant_id__in=assistants) | models.Q(environment_id__in=environments) | own)
