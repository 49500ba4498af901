"""Changing environments after their birth: names, addresses, tokens, removal, what their servers say of themselves."""

from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce
from django.utils import timezone

from environments.models import Environment, EnvironmentAlias, ManagedServer, Replica
from environments.rights import may_modify
from environments.services import pointers, replicas
from models_app.models import Assistant, Tag, valid_name
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import encrypt
from studio.errors import Conflict, Invalid
from studio.web import outgoing

ALIAS_IN_USE = timedelta(minutes=10)  # Rasa asks every 100 s unless told otherwise
FORGET_ALIAS_AFTER = timedelta(hours=24)


@transaction.atomic
def update_environment(
    *,
    actor: User | None,
    environment: Environment,
    name: str | None = None,
    kind: str | None = None,
    url: str | None = None,
    server_token: str = "",
    action_server_url: str | None = None,
) -> Environment:
    """Change what is given; None leaves a field, an empty `server_token` keeps the token.

    With a new name goes the tag, and servers that ask for the old one are answered until none does any more.
    Whether the server can be reached is not asked: people also save before they start it.
    """
    locked = lock(actor, environment)
    before = _facts(locked)
    if name is not None and name != locked.name:
        _rename(locked, name)
    if kind is not None and kind != locked.kind:
        _change_kind(locked, kind)
    locked.url = checked_url(url, "url") if url is not None else locked.url
    if action_server_url is not None:
        locked.action_server_url = checked_action_server(action_server_url)
    if server_token:
        locked.server_token_encrypted = encrypt(server_token)
    locked.save(update_fields=["name", "kind", "url", "action_server_url", "server_token_encrypted"])
    after = _facts(locked) | ({"server_token": "changed"} if server_token else {})
    if after != before:
        record(actor, Action.ENVIRONMENT_CHANGED, locked, assistant_id=locked.assistant_id, before=before, after=after)
    if after["action_server_url"] != before["action_server_url"]:  # a managed server reads it only at its start
        ManagedServer.objects.filter(environment=locked, wanted=True).update(restart_requested_at=timezone.now())
    return locked


@transaction.atomic
def remove_environment(*, actor: User | None, environment: Environment) -> None:
    """Its history and conversations stay. Its tag becomes a free one where it points at a model; its polls end."""
    locked = lock(actor, environment)
    tag, names = locked.tag, [locked.name, *locked.aliases.values_list("name", flat=True)]
    locked.removed_at, locked.tag = timezone.now(), None
    locked.save(update_fields=["removed_at", "tag"])
    locked.aliases.all().delete()
    if tag is not None and tag.model_id is None:
        tag.delete()
    elif tag is not None:
        Tag.objects.filter(pk=tag.pk).update(kind=Tag.Kind.FREE)
    ManagedServer.objects.filter(environment=locked).update(wanted=False)
    record(actor, Action.ENVIRONMENT_REMOVED, locked, assistant_id=locked.assistant_id, before=_facts(locked))
    transaction.on_commit(partial(pointers.forget, locked.assistant.slug, names))


def note_server(*, environment: Environment, version: str, minimum_compatible_version: str) -> None:
    """What the environment's Rasa answered at `/version`: promotions look at it."""
    Environment.objects.filter(pk=environment.pk).update(
        server_version=version[:40],
        server_minimum_version=minimum_compatible_version[:40],
        server_checked_at=timezone.now(),
    )
    replicas.note_version(environment, version[:40])


def environment_named(*, slug: str, name: str) -> Environment | None:
    """The environment of that name, or of that former name: servers keep what their files were written with."""
    rows = Environment.objects.in_use().select_related("assistant").filter(assistant__slug=slug)
    return rows.filter(name=name).first() or rows.filter(aliases__name=name).first()


def free_alias(assistant: Assistant, name: str) -> None:
    """Make a former name available; Conflict while servers still ask for it."""
    alias = EnvironmentAlias.objects.select_related("environment").filter(assistant=assistant, name=name).first()
    if alias is None:
        return
    if alias.last_used_at is not None and timezone.now() - alias.last_used_at < ALIAS_IN_USE:
        raise Conflict(
            f"Servers of {alias.environment.name} still ask for its former name {name}. "
            "Point them to the new address first, or choose another name.",
            field="name",
        )
    alias.delete()


def forget_unused_aliases() -> None:
    """Schedule: for a day nobody asked for a former name, and no server sends its events under it."""
    limit = timezone.now() - FORGET_ALIAS_AFTER
    claimed = Replica.objects.filter(environment=OuterRef("environment"), claims=OuterRef("name"))
    unused = EnvironmentAlias.objects.annotate(used_at=Coalesce("last_used_at", "created_at")).filter(used_at__lt=limit)
    unused.filter(~Exists(claimed)).delete()


def lock(actor: User | None, environment: Environment) -> Environment:
    """The row, held until the transaction ends. Conflict when it is gone, PermissionDenied for who may not modify."""
    rows = Environment.objects.current().select_for_update(no_key=True, of=("self",))
    locked = rows.select_related("assistant").filter(pk=environment.pk).first()
    if locked is None:
        raise Conflict(f"The environment {environment.name} was removed meanwhile.")
    if actor is not None and not may_modify(_read_anew(actor), locked):
        raise PermissionDenied(f"You may not modify {locked.name}.")
    return locked


def _read_anew(actor: User) -> User:
    """A grant may have been taken away since the page was opened; the limit of an API token goes on."""
    person = User.objects.get(id=actor.id)
    person.limit = actor.limit
    return person


def _rename(environment: Environment, name: str) -> None:
    try:
        valid_name(name)
    except ValidationError as error:
        raise Invalid(error.messages[0], field="name") from None
    taken = Tag.objects.filter(assistant=environment.assistant, name=name).first()
    if taken is not None:
        what = "an environment" if taken.kind == Tag.Kind.ENVIRONMENT else "a tag"
        raise Conflict(f"There is already {what} called {name}.", field="name")
    former, environment.name = environment.name, name
    environment.aliases.filter(name=name).delete()  # it takes a former name of its own back
    free_alias(environment.assistant, name)
    Tag.objects.filter(environment=environment).update(name=name)
    EnvironmentAlias.objects.create(environment=environment, assistant=environment.assistant, name=former)
    transaction.on_commit(partial(pointers.forget, environment.assistant.slug, [former, name]))


def _change_kind(environment: Environment, kind: str) -> None:
    if kind not in Environment.Kind.values:
        raise Invalid(f"There is no kind {kind}.", field="kind")
    environment.kind = kind
    if kind == Environment.Kind.MANAGED:
        ManagedServer.objects.update_or_create(environment=environment, defaults={"wanted": True})
    else:
        ManagedServer.objects.filter(environment=environment).update(wanted=False)


def checked_url(url: str, field: str) -> str:
    """The address without a slash at its end; empty stays empty."""
    url = url.strip().rstrip("/")
    if url and not _is_address(url):
        raise Invalid("Give an address such as https://rasa.example.org:5005.", field=field)
    try:
        if url:
            outgoing.host_of(url)
    except outgoing.MalformedAddress as error:
        raise Invalid(error.message, field=field) from None
    return url


def checked_action_server(url: str, *, resolve: bool = False) -> str:
    """Rasa calls it, not we; yet nobody shall make a Rasa on our machine look around our network.

    `resolve` asks what a name stands for, which takes time: for forms and the API, before any transaction.
    """
    url = checked_url(url, "action_server_url")
    try:
        if url:
            outgoing.refuse_private(url, resolve=resolve)
    except outgoing.ForbiddenHost as error:
        raise Invalid(error.message, field="action_server_url") from None
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return is_http and not parts.query and not parts.fragment
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False


def _facts(environment: Environment) -> dict[str, object]:
    """What the audit log keeps: never a token."""
    return {
        "name": environment.name,
        "kind": environment.kind,
        "url": environment.url,
        "action_server_url": environment.action_server_url,
    }
