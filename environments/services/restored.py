"""What a restored database needs beside its rows: roles of PostgreSQL, which no dump holds."""

from environments.models import Environment
from environments.services.database import ensure_intake
from studio import rotation


def make_roles() -> tuple[int, list[str]]:
    """Those of each environment's Rasa: how many environments have theirs, and the names of those that need an
    administrator, whose page prints the SQL for it."""
    made, waiting = 0, []
    for environment in Environment.objects.current().exclude(database_key=""):
        if ensure_intake(environment) is None:
            waiting.append(str(environment))
        else:
            made += 1
    return made, waiting


def lost_secrets() -> int:
    """How many stored secrets no key of this installation opens."""
    return rotation.lost_ones()
