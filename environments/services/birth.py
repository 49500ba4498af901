"""Making environments: keys, tokens and the tag of the same name."""

import secrets
from functools import partial

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from environments.models import Environment, ManagedServer
from environments.services import pointers, promotion
from environments.services.environments import checked_url, free_alias
from models_app.models import Assistant, Tag, valid_name
from models_app.services.assistants import add_assistant
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.crypto import digest, encrypt
from studio.errors import Conflict, Invalid
from studio.rasa.signing import generate_key_pair

AT_BIRTH = (("production", True), ("worker", False))  # name, protected


@transaction.atomic
def create_assistant(*, actor: User | None, slug: str, title: str) -> Assistant:
    """An assistant with the environments every assistant has from birth."""
    assistant = add_assistant(actor=actor, slug=slug, title=title)
    for name, protected in AT_BIRTH:
        create_environment(actor=actor, assistant=assistant, name=name, protected=protected)
    return assistant


@transaction.atomic
def create_environment(
    *,
    actor: User | None,
    assistant: Assistant,
    name: str,
    kind: str = Environment.Kind.UNSET,
    url: str = "",
    server_token: str = "",
    protected: bool = False,
) -> Environment:
    """A new environment; when a free tag of its name exists, the environment adopts it and the model it points at."""
    _check_name(name)
    free_alias(assistant, name)
    tag, _made = Tag.objects.get_or_create(assistant=assistant, name=name, defaults={"kind": Tag.Kind.ENVIRONMENT})
    Tag.objects.filter(pk=tag.pk).update(kind=Tag.Kind.ENVIRONMENT)
    model_token = f"pmt_{secrets.token_urlsafe(32)}"
    keys = generate_key_pair()
    try:
        with transaction.atomic():
            environment = Environment.objects.create(
                assistant=assistant,
                name=name,
                kind=kind,
                url=checked_url(url, "url"),
                protected=protected,
                tag=tag,
                generation=1,
                server_token_encrypted=encrypt(server_token),
                model_token_encrypted=encrypt(model_token),
                model_token_digest=digest(model_token),
                private_key_encrypted=encrypt(keys.private_pem),
                public_key=keys.public_pem,
            )
    except IntegrityError:
        raise Conflict(f"There is already an environment called {name}.", field="name") from None
    if kind == Environment.Kind.MANAGED:
        ManagedServer.objects.create(environment=environment)
    after = {"name": name, "kind": kind, "url": url, "protected": protected}
    record(actor, Action.ENVIRONMENT_CREATED, environment, assistant_id=assistant.pk, after=after)
    if tag.model_id is not None:
        promotion.adopt(actor=actor, environment=environment, reason=f"It had the tag {name} before.")
    transaction.on_commit(partial(pointers.publish, environment.pk))  # over that of the free tag
    return environment


def _check_name(name: str) -> None:
    try:
        valid_name(name)
    except ValidationError as error:
        raise Invalid(error.messages[0], field="name") from None
