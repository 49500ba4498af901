"""What a filter's address chooses, for work that goes on after the page: the same conversations as the list shows.

They are written down once, in parts, so that their number is exact and nothing else is touched, whatever comes or
changes meanwhile.
"""

from django import forms
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.http import QueryDict

from conversations.filters import ConversationFilter
from conversations.models import Conversation
from conversations.querysets import ConversationQuerySet
from models_app.models import Assistant
from studio.access.models import User
from studio.errors import Invalid

# Words of texts that stand for kinds of things and not for what somebody said.
_NAMES = frozenset({"model", "tz", "intent", "not_intent", "action", "policy", "channel", "entity", "slot", "tag"})
_DIVIDE = """
INSERT INTO {table} (run_id, number, ids)
SELECT %s, (place - 1) / %s, array_agg(id ORDER BY place)
FROM (SELECT id, row_number() OVER () AS place FROM ({chosen}) AS chosen (id)) AS numbered
GROUP BY (place - 1) / %s
"""
_COUNT = "SELECT coalesce(sum(cardinality(ids)), 0) FROM {table} WHERE run_id = %s"


def chosen_by(query: str, *, assistant: Assistant, viewer: User, by_looking: bool = False) -> ConversationQuerySet:
    """What the list of this address shows them, in its order. Raises Invalid for an address that chooses nothing.

    `by_looking` is quicker where a few conversations are asked whether they match, and slower for all.
    """
    filters = ConversationFilter(QueryDict(query), assistant=assistant, viewer=viewer)
    if not filters.is_valid():
        raise Invalid("The filter is not valid any more: something that it names was renamed or removed.")
    seen = Conversation.objects.visible_to(viewer).filter(assistant=assistant)
    return filters.apply(seen, by_looking=by_looking).order_by(*filters.order.steps(onwards=True))


def without_words(query: str) -> str:
    """The same address with ... for each text to look for: people write names there, which are not to stay."""
    given = QueryDict(query, mutable=True)
    for name, field in ConversationFilter.base_fields.items():
        if type(field) is forms.CharField and name not in _NAMES and given.get(name):
            given[name] = "..."
    return given.urlencode()


def divide(conversations: ConversationQuerySet, parts: type[models.Model], run_id: int, *, size: int) -> int:
    """Write down which they are, in their order, as `parts` of a run; returns how many."""
    table = parts._meta.db_table
    try:
        chosen, given = conversations.values_list("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_DIVIDE.format(table=table, chosen=chosen), [run_id, size, *given, size])
        cursor.execute(_COUNT.format(table=table), [run_id])
        (count,) = cursor.fetchone()
    return int(count)
