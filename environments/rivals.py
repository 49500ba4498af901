"""What is live where: a test of a model is compared with the one that is live."""

from environments.models import Environment
from models_app.models import Assistant, Model
from studio.access.models import User


def live(assistant: Assistant, viewer: User) -> list[tuple[str, Model]]:
    """Of the environments that the person sees, protected ones first."""
    seen = Environment.objects.visible_to(viewer).filter(assistant=assistant, tag__model__isnull=False)
    rows = seen.select_related("tag__model").defer("tag__model__domain")
    return [(row.name, row.tag.model) for row in rows if row.tag is not None and row.tag.model is not None]
