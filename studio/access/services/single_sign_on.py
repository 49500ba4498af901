"""The only writer of what single sign-on says of people: who they are, their name, groups and roles."""

from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from studio.access.models import Grant, Identity, Role, User
from studio.access.oidc.claims import Claimed
from studio.access.oidc.errors import ShutOut
from studio.access.services import people, sessions
from studio.access.services.grants import grant
from studio.access.services.last_admin import ADMIN
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict

log = structlog.get_logger()

ACTOR = "single sign-on"
SSO = Grant.Source.SINGLE_SIGN_ON


def admit(*, claimed: Claimed) -> Identity:
    """The identity of whoever came, with its person, found or made, and what the provider says of them now.

    People are known by issuer and subject alone: user names and e-mail addresses can change hands.
    """
    try:
        return _admit(claimed)
    except (IntegrityError, Conflict):  # the same person came twice at once, and the other one has made the row
        return _admit(claimed)


@transaction.atomic
def _admit(claimed: Claimed) -> Identity:
    known = Identity.objects.filter(issuer=claimed.issuer, subject=claimed.subject)
    identity = known.select_related("user").first() or _welcome(claimed)
    if not identity.user.is_active:
        raise ShutOut("This account is shut out of Parley. Ask an administrator to let you in again.")
    follow(person=identity.user, claimed=claimed)
    return identity


def _welcome(claimed: Claimed) -> Identity:
    """Whoever was expected under this user name, else somebody new."""
    person = _awaited(claimed.username) or _newcomer(claimed)
    if person.has_usable_password():  # whoever is shut out there must not come in by it
        person.set_unusable_password()
        person.save(update_fields=["password"])
    identity = Identity.objects.create(user=person, issuer=claimed.issuer, subject=claimed.subject)
    after = {"single sign-on": claimed.issuer, "subject": claimed.subject}
    record(None, Action.PERSON_CHANGED, person, actor_label=ACTOR, after=after)
    return identity


def _awaited(username: str) -> User | None:
    """Somebody made here for a first sign-in under this name; the name counts once."""
    waiting = User.objects.called(username).filter(awaits_identity=True, kind=User.Kind.PERSON)
    person = waiting.first()
    if person is None or waiting.filter(pk=person.pk).update(awaits_identity=False) != 1:
        return None
    person.awaits_identity = False
    return person


def _newcomer(claimed: Claimed) -> User:
    is_first = settings.FIRST_USER_ADMIN and _nobody_was_here()
    person = people.create_person(actor=None, username=_free_name(claimed.username), password=None)
    if is_first:
        _give_for_good(person, ADMIN)
    elif not _roles(claimed.roles):
        _give_for_good(person, settings.DEFAULT_ROLE or _default_role())
    return person


def _nobody_was_here() -> bool:
    """Whether nobody has ever signed in. Asked one at a time: of two who come first at once, one is the first."""
    list(Role.objects.select_for_update().filter(name=ADMIN))
    return not User.objects.filter(Q(last_login__isnull=False) | Q(identities__isnull=False)).exists()


def _free_name(username: str) -> str:
    """A taken user name gets a number: it belongs to somebody else, who is never taken over."""
    start = username[:140]
    like = User.objects.filter(username__istartswith=start)
    taken = {name.lower() for name in like.values_list("username", flat=True)}
    numbered = (f"{start}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (username, *numbered) if name.lower() not in taken)


def _default_role() -> str:
    return Role.objects.filter(is_default=True).values_list("name", flat=True).first() or ""


def _give_for_good(person: User, name: str) -> None:
    """A grant of this installation's own: it stays whatever the provider says later, until somebody takes it here."""
    role = Role.objects.filter(name=name).first()
    if role is not None:
        grant(actor=None, person=person, role=role)
    elif name:
        log.warning("the default role does not exist", role=name)


@transaction.atomic
def follow(*, person: User, claimed: Claimed) -> None:
    """Make name, groups and roles here what the provider says. Grants made here by hand stay as they are."""
    _set_profile(person, claimed)
    _set_roles(person, _roles(claimed.roles))


def _set_profile(person: User, claimed: Claimed) -> None:
    """What the provider leaves empty stays; groups are whole."""
    now = {
        "name": claimed.name or person.name,
        "email": claimed.email or person.email,
        "groups": list(claimed.groups),
    }
    changed = {field: value for field, value in now.items() if value != getattr(person, field)}
    if not changed:
        return
    before = {field: getattr(person, field) for field in changed}
    for field, value in changed.items():
        setattr(person, field, value)
    person.save(update_fields=list(changed))
    record(None, Action.PERSON_CHANGED, person, actor_label=ACTOR, before=before, after=changed)


def _roles(names: Iterable[str]) -> list[Role]:
    """The roles that exist: a provider also names some of its own, which mean nothing here."""
    return list(Role.objects.filter(name__in=list(names)))


def _set_roles(person: User, wanted: list[Role]) -> None:
    held = {row.role_id: row for row in person.grants.filter(source=SSO).select_related("role")}
    for role in wanted:
        if role.pk not in held:
            _, made = Grant.objects.get_or_create(user=person, role=role, source=SSO, assistant_id=None)
            if made:
                _record_role(Action.ROLE_GRANTED, person, after=role)
    for row in held.values():
        if row.role not in wanted:
            row.delete()
            _record_role(Action.ROLE_REVOKED, person, before=row.role)
    person.__dict__.pop("granted", None)


@transaction.atomic
def move_issuer(*, old: str, new: str) -> int:
    """Say that the provider known as `old` is called `new` now; how many people are known there.

    Its sessions end: their tokens name the old one.
    """
    moving = Identity.objects.filter(issuer=old)
    taken = Identity.objects.filter(issuer=new, subject__in=moving.values("subject"))
    if taken.exists():
        raise Conflict(f"{taken.count()} of them have signed in under the new address already, as somebody new.")
    for identity in moving.select_related("user"):
        before, after = {"single sign-on": old}, {"single sign-on": new}
        record(None, Action.PERSON_CHANGED, identity.user, before=before, after=after)
        sessions.end_all(actor=None, person=identity.user, reason="The single sign-on has another address.")
    return moving.update(issuer=new)


def _record_role(action: Action, person: User, *, before: Role | None = None, after: Role | None = None) -> None:
    def words(role: Role | None) -> dict[str, str] | None:
        return {"role": role.name, "where": "everywhere"} if role else None

    record(None, action, person, actor_label=ACTOR, before=words(before), after=words(after))
