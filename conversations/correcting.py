"""What a page needs for correcting a message: what NLU said of it, what people said, and which names there are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from conversations.loaders import may_correct
from conversations.models import Conversation, Correction, Event
from conversations.presentation.items import Intent
from conversations.presentation.said import Said, as_facts, said_in
from conversations.services.corrections import OUT_OF_SCOPE_INTENT, corrections_of
from conversations.services.inbox import holder
from models_app.data.vocabulary import Entity, Vocabulary
from models_app.vocabulary import vocabulary_of
from studio.access.models import User


@dataclass
class Correcting:
    """One message; `correction` is what was said last of it, or of the same words elsewhere."""

    conversation: Conversation
    event: Event
    said: Said
    correction: Correction | None
    words: Vocabulary
    held_by: str = ""  # somebody else who has it in front of them in the inbox
    problem: str = ""
    typed: dict[str, str] | None = None  # what a refused form held

    @property
    def is_own(self) -> bool:
        """Whether the correction is of this message, and not only of the same words."""
        return self.correction is not None and self.correction.event_id == self.event.pk

    @property
    def may_be_undone(self) -> bool:
        return self.is_own and self.correction is not None and self.correction.state != Correction.State.ACCEPTED

    @property
    def intent(self) -> str:
        """What stands in the field."""
        if self.typed is not None:
            return self.typed["intent"]
        if self.correction is not None:
            return self.correction.intent
        return self.said.intent or (self.choices[0].name if self.choices else "")

    @property
    def entities(self) -> str:
        """As JSON."""
        if self.typed is not None:
            return self.typed["entities"]
        rows = self.correction.entities if self.correction is not None else as_facts(self.said.annotations)
        return json.dumps(rows)

    @property
    def choices(self) -> Sequence[Intent]:
        return self.said.choices

    @property
    def may_be_out_of_scope(self) -> bool:
        """Unless the assistant has another way to say so, which then is among its intents."""
        return all(one.name != OUT_OF_SCOPE_INTENT for one in self.choices)

    @cached_property
    def intents(self) -> list[str]:
        """Those the assistant knows, and those that NLU named here."""
        return sorted({*self.words.intents, *(one.name for one in self.choices)})

    @property
    def roles(self) -> list[str]:
        return sorted({role for one in self.entity_names for role in one.roles})

    @property
    def groups(self) -> list[str]:
        return sorted({group for one in self.entity_names for group in one.groups})

    @cached_property
    def entity_names(self) -> list[Entity]:
        known = dict(self.words.entities)
        for one in self.said.annotations:
            known.setdefault(one.entity, Entity(one.entity))
        return [known[name] for name in sorted(known)]


def correcting(
    viewer: User,
    conversation: Conversation,
    event: Event | None,
    known: Mapping[int, Correction] | None = None,
    *,
    words: Vocabulary | None = None,
    is_held: bool = False,
) -> Correcting | None:
    """None where there is nothing to correct, or not for this person. A handful of queries.

    `known` are the corrections of the conversation by event, and `words` its assistant's, if the caller has them.
    `is_held`: the inbox has just given the message to the viewer, so that nobody else has it.
    """
    if event is None or event.kind != "user" or event.text.startswith("/") or not event.text.strip():
        return None
    if not may_correct(viewer, conversation):
        return None
    if known is None:
        known = corrections_of(conversation, event) if event.is_looked_at else {}
    row = known.get(event.pk)
    if row is None and event.is_looked_at:
        same = Correction.objects.visible_to(viewer).filter(also__contains=[event.pk])
        row = same.select_related("revision", "conversation").first()
    held_by = "" if is_held else holder(event, other_than=viewer)
    words = vocabulary_of(conversation.assistant) if words is None else words
    return Correcting(conversation, event, said_in(event), row, words, held_by)
