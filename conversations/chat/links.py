"""Links by which guests talk to an assistant without an account."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from conversations.chat.guests import hashed
from conversations.models import ShareLink
from environments.models import Environment
from models_app.models import Model
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import decrypt, digest, encrypt
from studio.errors import Conflict, Invalid

CODE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Options:
    """How a link looks and whom it lets in, as its columns of the same names have it."""

    look: str = ""
    accent: str = ""
    language: str = ""
    visitors_limit: int = 0
    messages_limit: int = 0
    origins: Sequence[str] = ()
    takes_ratings: bool = True

    @classmethod
    def of(cls, link: ShareLink) -> "Options":
        return cls(**{name: getattr(link, name) for name in NAMES})


NAMES = tuple(Options.__dataclass_fields__)


class LinkState(StrEnum):
    OPEN = "open"
    OFF = "off"
    EXPIRED = "expired"
    REVOKED = "revoked"
    GONE = "gone"  # its environment, model or assistant was removed


def state_of(link: ShareLink) -> LinkState:
    if link.revoked_at is not None:
        return LinkState.REVOKED
    is_gone = link.environment.removed_at is not None or link.environment.assistant.deleted_at is not None
    if is_gone or (link.model is not None and link.model.deleted_at is not None):
        return LinkState.GONE
    if link.expires_at is not None and link.expires_at <= timezone.now():
        return LinkState.EXPIRED
    return LinkState.OPEN if link.is_on else LinkState.OFF


def address_of(link: ShareLink) -> str:
    """The whole address that a guest opens."""
    return settings.PUBLIC_URL + reverse("conversations:guest", args=[decrypt(link.code_encrypted)])


def snippet_of(link: ShareLink) -> str:
    """What a page of another site holds."""
    script = settings.PUBLIC_URL + reverse("conversations:embed-widget", args=[decrypt(link.code_encrypted)])
    return f'<script src="{script}" async></script>'


def find_link(code: str) -> ShareLink | None:
    """In whatever state it is; None for a code that never was."""
    links = ShareLink.objects.select_related(
        "environment__assistant", "environment__server", "environment__tag", "model"
    )
    return links.defer("model__domain").filter(code_digest=digest(code)).first()


def reasons_to_keep(models: Sequence[Model]) -> dict[int, str]:
    """A guard of models_app: what guests may still come to talk to is not deleted."""
    links = ShareLink.objects.filter(model__in=models, revoked_at=None).select_related(
        "environment__assistant", "model"
    )
    waiting = [link for link in links if state_of(link) in (LinkState.OPEN, LinkState.OFF)]
    return {link.model_id: f"guests talk to it by the link {link.name}" for link in waiting if link.model_id}


@transaction.atomic
def create_link(
    *,
    actor: User,
    environment: Environment,
    name: str,
    model: Model | None = None,
    greeting: str = "",
    expires_at: datetime | None = None,
    password: str = "",
    options: Options | None = None,
) -> ShareLink:
    _refuse_past(expires_at)
    code = secrets.token_urlsafe(CODE_BYTES)
    link = ShareLink.objects.create(
        environment=environment,
        model=model,
        name=name,
        greeting=greeting,
        expires_at=expires_at,
        code_encrypted=encrypt(code),
        code_digest=digest(code),
        created_by=actor,
        password=hashed(password),
        **_columns(options or Options()),
    )
    record(actor, Action.SHARE_LINK_CREATED, link, assistant_id=environment.assistant_id, after=_facts(link))
    return link


@transaction.atomic
def change_link(
    *,
    actor: User,
    link: ShareLink,
    environment: Environment,
    model: Model | None = None,
    name: str,
    greeting: str,
    expires_at: datetime | None,
    is_on: bool,
    password: str | None = None,
    options: Options | None = None,
) -> ShareLink:
    """With another target its guests begin anew there: what a server remembers of them does not move.

    Another password, or an empty one for none, shuts out whoever came in by the one before; None keeps it.
    """
    row = _locked(link)
    if row.revoked_at is not None:
        raise Conflict(f"{row.name} is revoked. Make a new link instead.")
    if expires_at != row.expires_at:
        _refuse_past(expires_at)
    if environment.assistant_id != row.environment.assistant_id:
        raise Invalid("This belongs to another assistant.", field="target")
    before = _facts(row)
    row.environment, row.model = environment, model
    row.name, row.greeting, row.expires_at, row.is_on = name, greeting, expires_at, is_on
    columns = _columns(options or Options.of(row))
    for column, value in columns.items():
        setattr(row, column, value)
    if password is not None:
        row.password = hashed(password)
    after = _facts(row) | ({"password": "changed"} if password else {})
    if before == after:
        return row
    row.save(update_fields=["environment", "model", "name", "greeting", "expires_at", "is_on", "password", *columns])
    record(
        actor,
        Action.SHARE_LINK_CHANGED,
        row,
        assistant_id=row.environment.assistant_id,
        before=before,
        after=after,
    )
    return row


@transaction.atomic
def revoke_link(*, actor: User, link: ShareLink) -> None:
    """For good: the address never works again. What was said stays."""
    row = _locked(link)
    if row.revoked_at is not None:
        raise Conflict(f"{row.name} is revoked already.")
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    record(actor, Action.SHARE_LINK_REVOKED, row, assistant_id=row.environment.assistant_id)


def _columns(options: Options) -> dict[str, object]:
    return {**asdict(options), "origins": list(options.origins)}


def _locked(link: ShareLink) -> ShareLink:
    rows = ShareLink.objects.select_for_update(of=("self",))
    return rows.select_related("environment__assistant", "model").get(pk=link.pk)


def _refuse_past(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The link would have ended already. Choose a later time.", field="expires_at")


def _facts(link: ShareLink) -> dict[str, object]:
    return {
        "name": link.name,
        "environment": link.environment.name,
        "model": link.model.name if link.model else None,
        "greeting": link.greeting,
        "expires_at": link.expires_at.isoformat() if link.expires_at else None,
        "is_on": link.is_on,
        "password": "set" if link.password else "none",
        **_columns(Options.of(link)),
    }
