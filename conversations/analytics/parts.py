"""Names for the values that numbers are told apart by, and how the conversations list is asked for them."""

from collections.abc import Mapping
from typing import Any

from conversations.analytics.numbers import Numbers
from conversations.filters import NO_ENVIRONMENT
from conversations.naming import model_names
from environments.models import Environment
from models_app.models import Assistant

Part = tuple[str, dict[str, str], Numbers]  # name, what the list is asked (nothing: it cannot be), numbers


def named_parts(assistant: Assistant, by: str, parts: Mapping[Any, Numbers]) -> list[Part]:
    """In the order given. One query at most."""
    found = {value: numbers for value, numbers in parts.items() if not numbers.is_nothing}
    if by == "channel":
        return [(value or "none", {"channel": value} if value else {}, numbers) for value, numbers in found.items()]
    if by == "model":
        names = model_names(assistant, list(found))
        return [
            (names.get(value, value) or "not said", {"model": names[value]} if value in names else {}, numbers)
            for value, numbers in found.items()
        ]
    rows = Environment.objects.filter(assistant=assistant, pk__in=[value for value in found if value])
    of = {row.pk: row for row in rows}
    return [_environment(of.get(value), numbers) for value, numbers in found.items()]


def _environment(row: Environment | None, numbers: Numbers) -> Part:
    if row is None:
        return "unknown", {"environment": NO_ENVIRONMENT}, numbers
    return (f"{row.name} (removed)", {}, numbers) if row.removed_at else (row.name, {"environment": row.name}, numbers)
