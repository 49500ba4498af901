"""An example with its entities, for pages. Pure."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe


def marked(text: str, entities: Sequence[dict[str, Any]]) -> SafeString:
    """The text with its entities marked and named."""
    parts, at = [], 0
    for one in sorted(entities, key=lambda one: int(one["start"])):
        facts = " ".join(str(one[key]) for key in ("entity", "role", "group") if one.get(key))
        value = f" = {one['value']}" if one.get("value") else ""
        parts += [
            format_html("{}", text[at : one["start"]]),
            format_html("<mark>{}<small>{}{}</small></mark>", text[one["start"] : one["end"]], facts, value),
        ]
        at = one["end"]
    return mark_safe("".join([*parts, format_html("{}", text[at:])]))  # noqa: S308 - each part is escaped
