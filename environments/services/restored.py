"""What a restored database needs beside its rows: roles of PostgreSQL, which no dump holds."""

import psycopg
import structlog
from django.db import DatabaseError

from environments.models import Environment
from environments.services.database import ensure_intake, has_lost_passwords, renew_intake

log = structlog.get_logger()


def make_roles() -> tuple[int, list[str]]:
    """Those of each environment's Rasa: how many environments have theirs, and the names of those that need an
    administrator, whose page prints the SQL for it. Passwords that no key opens are made anew."""
    made, waiting = 0, []
    for environment in Environment.objects.current().exclude(database_key=""):
        if _has_roles(environment):
            made += 1
        else:
            waiting.append(str(environment))
    return made, waiting


def _has_roles(environment: Environment) -> bool:
    """One that PostgreSQL refuses, as where the roles are somebody else's, keeps no other from its own."""
    make = renew_intake if has_lost_passwords(environment) else ensure_intake
    try:
        return make(environment) is not None
    except (DatabaseError, psycopg.Error) as error:
        log.warning("PostgreSQL refuses the roles of an environment", environment=str(environment), error=str(error))
        return False
