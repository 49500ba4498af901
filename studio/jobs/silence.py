"""Whether a reaper may judge who is silent."""

from datetime import timedelta

from django.db import connection


def connected_for() -> timedelta:
    """How long this process has had its connection. While the database was away nobody could be heard."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        row = cursor.fetchone()
    return row[0] if row and row[0] is not None else timedelta.max
