"""Environments as places where a role can be given."""

from environments.models import Environment
from environments.rights import scope_of
from studio.access.scopes import Place


def places() -> list[Place]:
    rows = Environment.objects.current().select_related("assistant")
    return [Place(scope_of(one), one.assistant.title, one.name, one.assistant.slug) for one in rows]
