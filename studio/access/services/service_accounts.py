"""The only writer of service accounts: accounts that never sign in and act by API tokens alone.

Roles are given to them as to people (services.grants); they are shut out, let in and deleted as people are.
"""

from django.db import transaction

from studio.access.models import User
from studio.access.services import people
from studio.audit.actions import Action
from studio.audit.services import record


@transaction.atomic
def make_service(*, actor: User | None, username: str, description: str) -> User:
    service = User(username=username, kind=User.Kind.SERVICE, description=description)
    service.set_unusable_password()
    people.insert(service)
    after = {"username": username, "kind": "service account", "description": description}
    record(actor, Action.PERSON_CREATED, service, after=after)
    return service


@transaction.atomic
def describe_service(*, actor: User, service: User, description: str) -> None:
    before = {"description": service.description}
    service.description = description
    service.save(update_fields=["description"])
    record(actor, Action.PERSON_CHANGED, service, before=before, after={"description": description})
