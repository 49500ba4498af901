"""Names of assistants as Rasa Studio allows them, and the addresses they have here."""

import hashlib
import re

from models_app.models import Assistant
from studio.errors import Invalid

LONGEST = 128
_OURS = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NOT_OURS = re.compile(r"[^a-z0-9._-]+")


def checked(name: str) -> str:
    """Raises Invalid for what is no name there."""
    if not 0 < len(name) <= LONGEST or any(letter.isspace() or not letter.isprintable() for letter in name):
        raise Invalid(f"The name of an assistant has 1 to {LONGEST} characters, and no spaces.")
    return name


def slug_of(name: str) -> str:
    """The same for the same name; upper and lower case are one. What we do not allow is told apart by a digest."""
    small = name.lower()
    if _OURS.fullmatch(small):
        return small
    start = _NOT_OURS.sub("-", small).strip("-._")[:50]
    digest = hashlib.sha256(small.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{start}-{digest}" if start else digest


def name_of(assistant: Assistant) -> str:
    """What it was called when it came, if nobody gave it another title since."""
    title = assistant.title
    return title if slug_of(title) == assistant.slug and " " not in title else assistant.slug
