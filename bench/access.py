"""`python -m bench access`: what permissions cost a page that lists 100 rows, against reading the rows themselves.

The person holds eight roles, two of them by groups. As on each request, their grants are read once, and then asked of
every row.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from studio.access.models import User
    from studio.access.permissions import Scope

ROWS, ROUNDS, OTHERS = 100, 200, 2000
AIM = 1.0  # ms, of the checks
Steps = tuple[Callable[[], object], ...]


def run() -> list[Row]:
    with services():
        person_pk = _fill()
        return compare(person_pk)


def _fill() -> int:
    """Somebody with eight grants among those of 2000 others, and the 100 rows of a list."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from models_app.models import Assistant
    from studio.access.models import Grant, Role, User
    from studio.access.services.people import create_person
    from studio.access.services.roles import ensure_default_roles

    ensure_default_roles()
    role = Role.objects.get(name="annotator")
    Assistant.objects.bulk_create([Assistant(slug=f"a{number}", title=f"Assistant {number}") for number in range(ROWS)])
    person = create_person(actor=None, username="bench", password=None)
    User.objects.filter(pk=person.pk).update(groups=["/a", "/b"])
    others = User.objects.bulk_create([User(username=f"other-{number}") for number in range(OTHERS)])
    grants = [Grant(user=one, role=role, assistant_id=1) for one in others]
    grants += [Grant(user=person, role=role, assistant_id=number, environment_id=number) for number in range(1, 7)]
    grants += [Grant(group=group, role=role, assistant_id=ROWS + 1) for group in ("/a", "/b")]
    Grant.objects.bulk_create(grants)
    return person.pk


def compare(person_pk: int) -> list[Row]:
    """Both take turns, so that whatever else the machine does meets both."""
    from models_app.models import Assistant
    from studio.access.models import User
    from studio.access.permissions import Scope

    scopes = [Scope(number, number) for number in range(1, ROWS + 1)]
    found = []
    for _ in range(ROUNDS):
        person = User.objects.get(pk=person_pk)
        rows = Assistant.objects.all()
        steps: Steps = (partial(getattr, person, "granted"), partial(ask, person, scopes), partial(list, rows))
        found.append([timed(step) for step in steps])
    grants, checks, read = (statistics.median(times) * 1e3 for times in zip(*found, strict=True))
    compared = f"reading the rows {read:.2f} ms"
    return [
        Row(
            f"permissions of {ROWS} rows",
            f"{checks:.2f} ms",
            compared,
            f"{checks / read:.0%} of it",
            "1 ms",
            checks < AIM,
        ),
        Row("the query for grants, once a request", f"{grants:.2f} ms", compared, f"{grants / read:.0%} of it"),
    ]


def ask(person: "User", scopes: "list[Scope]") -> int:
    """As lists do: may the row be changed, and may what was said there be read."""
    from studio.access.permissions import Permission

    asked = (Permission.ENVIRONMENTS_MODIFY, Permission.CONVERSATIONS_VIEW)
    return sum(person.may(permission, scope) for scope in scopes for permission in asked)


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
