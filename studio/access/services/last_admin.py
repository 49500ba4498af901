"""Nobody can lock everybody out: whatever changes, somebody who may manage people, and do everything, is left."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission
from studio.access.rights import holding
from studio.errors import Conflict

ADMIN = "admin"  # the role that always holds every permission


@contextmanager
def keeping_an_admin() -> Iterator[None]:
    """Undo what is done within, and raise Conflict, when it takes the last manager of people, or the last whole admin.

    Of an installation that has neither, nothing is asked: it could not be mended otherwise. Single sign-on does not
    come through here: what the provider takes away is gone, and `manage.py bootstrap` is the way back in.
    """
    with transaction.atomic():
        # One at a time: two admins who take each other's role at once would each still see the other's.
        list(Role.objects.select_for_update().filter(name=ADMIN))
        had_managers, had_admins = bool(_managers()), bool(admins())
        yield
        if had_managers and not _managers():
            raise Conflict("This is the last person who may manage people. Give somebody else the admin role first.")
        if had_admins and not admins():
            raise Conflict("Nobody would be left who may do everything. Give somebody else the admin role first.")


def admins() -> list[User]:
    """Who can give every right there is: nobody gives what they do not have."""
    return [person for person in _managers() if all(person.may(permission) for permission in Permission)]


def _managers() -> list[User]:
    """People whose first single sign-on is still awaited may never come: they do not count."""
    giving = Grant.objects.filter(role__permissions__contains=[Permission.PEOPLE_MODIFY], assistant_id=None)
    people = User.objects.filter(holding(giving), is_active=True, kind=User.Kind.PERSON, awaits_identity=False)
    return list(people.order_by("pk"))
