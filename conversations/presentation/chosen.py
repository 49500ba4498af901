"""What a filter's address chooses, in words."""

from django.http import QueryDict

from conversations.filters import ConversationFilter


def filter_in_words(query: str) -> list[tuple[str, str]]:
    """Label and value of each filter: `("Text", "refund")`; empty when it chooses everything."""
    given = QueryDict(query)
    fields = ConversationFilter.base_fields
    found = [(fields[name].label or name.replace("_", " ").capitalize(), given.getlist(name)) for name in fields]
    return [(str(label), ", ".join(values)) for label, values in found if any(values)]
