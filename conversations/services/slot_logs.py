"""Logs of slots hold what people said to tried models, and go with what is erased of that."""

from conversations.models import Conversation
from environments.models import Environment
from environments.services import slots


def forget(ids: list[int]) -> None:
    """Those of the assistants whose conversations with tried models are about to be erased."""
    erased = Conversation.objects.filter(pk__in=ids).values("environment")
    places = Environment.objects.filter(kind=Environment.Kind.TRIED, pk__in=erased).order_by()
    if found := list(places.values_list("pk", flat=True)):
        slots.forget_logs(found)
