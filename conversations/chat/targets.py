"""Whom somebody talks to: the server of an environment, or the slot that serves one model."""

from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse

from conversations.models import TalkSession
from environments.models import Environment
from environments.services.address import ServerAddress, server_of, slot_of
from models_app.models import Model


class Kind(StrEnum):
    """As in URLs; the values begin the names of the pages."""

    ENVIRONMENT = "talk"
    MODEL = "try"

    @property
    def word(self) -> str:
        return "environment" if self is Kind.ENVIRONMENT else "model"


@dataclass(frozen=True, slots=True)
class Target:
    """`environment` is where the conversation belongs; `model` only when one model is asked, live or not."""

    environment: Environment
    model: Model | None = None

    @property
    def kind(self) -> Kind:
        return Kind.ENVIRONMENT if self.model is None else Kind.MODEL

    @property
    def name(self) -> str:
        return self.environment.name if self.model is None else self.model.name

    @property
    def answering(self) -> Model | None:
        """The model that answers; None while none is live in the environment."""
        return self.model or (self.environment.tag.model if self.environment.tag else None)

    def __str__(self) -> str:
        """As addresses and forms name it, `environment:production` or `model:calm-otter`."""
        return f"{self.kind.word}:{self.name}"

    def url(self, page: str, *more: str) -> str:
        """Of one of its pages: "in", "with", "say", "say-first", "news", "why", "rewind", "actions"."""
        return reverse(f"conversations:{self.kind}-{page}", args=[self.environment.assistant.slug, self.name, *more])

    def address(self) -> ServerAddress:
        """Raises NoServer, or NoSlot."""
        return server_of(self.environment) if self.model is None else slot_of(self.model)


def target_of(session: TalkSession) -> Target:
    return Target(session.environment, session.model)
