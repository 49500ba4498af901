"""`python -m studio.jobs.alive ingest`: whether the process of that kind on this machine has beaten lately.

For health checks of containers, several times a minute: it loads no Django, and asks the heartbeat's row by itself.
"""

import socket
import sys
import time

import psycopg

from studio import env

_QUERY = """
SELECT extract(epoch FROM max(at)) FROM jobs_heartbeat WHERE kind = %s AND starts_with(name, %s)
"""
SILENT_SECONDS = 60


def silence(kind: str) -> float | None:
    """Seconds since the last beat; None when there was none. psycopg.Error when the database does not answer."""
    with psycopg.connect(env.secret("DATABASE_URL"), connect_timeout=5) as connection:
        row = connection.execute(_QUERY, [kind, f"{socket.gethostname()}:"]).fetchone()
    # The row's time is written by the process's own clock, which is this machine's too.
    return None if row is None or row[0] is None else time.time() - float(row[0])


def main() -> int:
    kind = sys.argv[1]
    try:
        seconds = silence(kind)
    except psycopg.Error as error:
        sys.stderr.write(f"The database does not say: {error}\n")
        return 0  # what it holds goes on without the database, and would end with it
    if seconds is None or seconds > SILENT_SECONDS:
        sys.stderr.write(f"{kind}: {'never' if seconds is None else f'{seconds:.0f} s ago'}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
