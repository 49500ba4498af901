"""What keeps one ingest process that stands still from holding up the others."""

from django.db import connection

SECONDS = 10


def limit_standstill() -> None:
    """For the transaction that has begun: PostgreSQL ends it when nothing is asked for so long.

    A process that was stopped, or whose machine was, would otherwise hold its locks for as long as it stands still,
    and every other one would wait for it. When it goes on it finds its transaction undone, and tries again.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{SECONDS}s'")
