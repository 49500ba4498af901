"""A bound on how long a page's own queries may take: a search reads on, and the person has long gone."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

_QUERY_CANCELED = "57014"


class TookTooLong(Exception):
    """PostgreSQL ended a query that ran out of its time."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Each query within may take so long. Raises TookTooLong; nothing within may write."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _QUERY_CANCELED:
            raise
        raise TookTooLong from error
