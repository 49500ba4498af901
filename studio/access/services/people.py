"""The only writer of people."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.services import sessions, tokens
from studio.access.services.grants import grant
from studio.access.services.last_admin import keeping_an_admin
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid


@transaction.atomic
def create_person(
    *,
    actor: User | None,
    username: str,
    password: str | None,
    name: str = "",
    email: str = "",
    awaits_identity: bool = False,
) -> User:
    """A new account. Without a password it is entered by a one-time link, or, when it awaits one, by single sign-on."""
    person = User(username=username, name=name, email=email, awaits_identity=awaits_identity)
    _set_password(person, password)
    insert(person)
    record(actor, Action.PERSON_CREATED, person, after={"username": username, "name": name, "email": email})
    return person


def insert(account: User) -> None:
    """Raises Conflict where somebody has the user name, or one that reads alike in capitals."""
    taken = Conflict(f"There is already an account called {account.username}.")
    if User.objects.filter(username__iexact=account.username).exists():
        raise taken
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:
        raise taken from None


@transaction.atomic
def add_person(
    *,
    actor: User,
    username: str,
    name: str,
    email: str,
    role: Role,
    scope: Scope = EVERYWHERE,
    scope_label: str = "",
    awaits_identity: bool = False,
    password: str | None = None,
) -> User:
    """A new person with a first role."""
    person = create_person(
        actor=actor, username=username, password=password, name=name, email=email, awaits_identity=awaits_identity
    )
    grant(actor=actor, person=person, role=role, scope=scope, scope_label=scope_label)
    return person


@transaction.atomic
def change_person(*, actor: User, person: User, name: str, email: str) -> None:
    before = {"name": person.name, "email": person.email}
    person.name, person.email = name, email
    person.save(update_fields=["name", "email"])
    record(actor, Action.PERSON_CHANGED, person, before=before, after={"name": name, "email": email})


@transaction.atomic
def change_password(*, actor: User, person: User, password: str, keep: int = 0) -> None:
    """Set a new password and end that person's sign-in links and sessions, but for the browser session `keep`."""
    _set_password(person, password)
    person.save(update_fields=["password"])
    _end_sessions(person, keep)
    record(actor, Action.PASSWORD_CHANGED, person)


def _end_sessions(person: User, keep: int = 0) -> None:
    sessions.drop_all(person, keep)
    person.sign_in_links.filter(used_at=None).delete()


def _set_password(person: User, password: str | None) -> None:
    if password is None:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="weak-password") from None
    person.set_password(password)


@transaction.atomic
def set_active(*, actor: User | None, person: User, is_active: bool) -> None:
    """Let a person in or shut them out at once, sessions and tokens included: these do not come back."""
    if actor is not None and actor.pk == person.pk and not is_active:
        raise Invalid("You cannot shut yourself out.")
    with keeping_an_admin():
        if User.objects.filter(pk=person.pk, is_active=not is_active).update(is_active=is_active) != 1:
            return  # it is so already
    person.is_active = is_active
    _end_sessions(person)
    ended = {} if is_active else {"API tokens revoked": tokens.revoke_all(person)}
    after = {"active": is_active, **ended}
    record(actor, Action.PERSON_CHANGED, person, before={"active": not is_active}, after=after)


@transaction.atomic
def send_out(*, person: User, reason: str) -> None:
    """End what a person has in hand, sessions, sign-in links and API tokens. By signing in they can come back."""
    for token in person.api_tokens.select_for_update(of=("self",)).filter(tokens.live()).select_related("user"):
        tokens.revoke(actor=None, token=token, reason=reason)
    before = {"sessions": person.browser_sessions.count()}
    _end_sessions(person)
    record(None, Action.SESSION_ENDED, person, before=before, reason=reason)


@transaction.atomic
def delete_person(*, actor: User, person: User) -> None:
    """Remove an account for good, with its sessions, tokens and grants. History keeps the name it was known by."""
    if actor.pk == person.pk:
        raise Invalid("You cannot delete yourself.")
    with keeping_an_admin():
        _end_sessions(person)
        roles = [f"{row.role} {row.scope_label or 'everywhere'}" for row in person.grants.select_related("role")]
        before = {"username": person.username, "name": person.name, "email": person.email, "roles": roles}
        record(actor, Action.PERSON_DELETED, person, before=before)
        User.objects.filter(pk=person.pk).delete()  # and not the instance, which would forget who it was
