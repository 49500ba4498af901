"""What answers about models, data and trainings have in common."""

from datetime import datetime

from django.http import Http404
from django.urls import reverse

from models_app.models import Assistant, Revision


def epoch(moment: datetime | None) -> float | None:
    """The API's times: seconds since 1970, null for what has not happened."""
    return moment.timestamp() if moment else None


def address_of(name: str, *parts: object) -> str:
    """Where something of the API is, for `Location` and `url`."""
    return reverse(f"api:{name}", args=parts)


def revision_named(assistant: Assistant, number: int) -> Revision:
    """404 for a number that the assistant's data does not have."""
    revision = Revision.objects.filter(assistant=assistant, number=number).first()
    if revision is None:
        raise Http404(f"There is no revision {number}.")
    return revision


def as_file(content_type: str, description: str = "The file.") -> dict[str, object]:
    """For `openapi_extra`: the answer is a file and no JSON."""
    content = {content_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": description, "content": content}}}
