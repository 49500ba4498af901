"""A message as programs see it, and what a person said of it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ninja import Schema

from conversations.models import Conversation, Correction, Event, Mark
from conversations.naming import model_names
from conversations.presentation.messages import understanding_of
from conversations.presentation.reading import clean, loaded, member, text_of
from conversations.presentation.tracker import strict
from conversations.services.corrections import corrections_of
from conversations.services.marks import marks_of


class EntityOut(Schema):
    """`start` and `end` are characters of the text, null where NLU names no place."""

    start: int | None
    end: int | None
    entity: str
    value: str
    role: str = ""
    group: str = ""


class IntentOut(Schema):
    name: str
    confidence: float


class CorrectionOut(Schema):
    """What a person said of a message: `kind` is confirmed, corrected, out_of_scope or ignored (no example); `state`
    pending, accepted (it is in `revision`) or discarded."""

    intent: str
    entities: list[EntityOut]
    kind: str
    state: str
    person: str
    at: float
    said_times: int
    revision: int | None


class MessageOut(Schema):
    """`type` is user, bot, or agent: a person who took over. `timestamp` names it in this conversation."""

    timestamp: float
    type: str
    text: str
    data: dict[str, object]
    intent: IntentOut | None
    intent_ranking: list[IntentOut]
    entities: list[EntityOut]
    channel: str
    model: str
    is_flagged: bool
    tags: list[str]
    correction: CorrectionOut | None


def messages_of(conversation: Conversation, rows: Sequence[Event]) -> list[dict[str, Any]]:
    """Three queries, however many."""
    marks, corrections = marks_of(conversation), corrections_of(conversation)
    names = model_names(conversation.assistant, {row.model_id for row in rows})
    return [
        message_facts(row, names.get(row.model_id, row.model_id), marks.get(row.pk, []), corrections.get(row.pk))
        for row in rows
    ]


def message_facts(event: Event, model: str, marks: list[Mark], correction: Correction | None) -> dict[str, Any]:
    payload = clean(loaded(strict(event.payload)))
    return {
        "timestamp": event.timestamp,
        "type": event.kind,
        "text": text_of(payload.get("text")),
        "data": {key: value for key, value in member(payload, "data").items() if value is not None},
        **understood(member(payload, "parse_data")),
        "channel": event.channel,
        "model": model,
        "is_flagged": any(mark.kind == Mark.Kind.FLAG for mark in marks),
        "tags": [mark.name for mark in marks if mark.kind == Mark.Kind.TAG],
        "correction": correction_facts(correction) if correction else None,
    }


def understood(parse: dict[str, Any]) -> dict[str, Any]:
    found = understanding_of(parse)
    if found is None:
        return {"intent": None, "intent_ranking": [], "entities": []}
    return {
        "intent": asdict(found.intent),
        "intent_ranking": [asdict(one) for one in found.ranking],
        "entities": [
            {
                "start": one.start,
                "end": one.end,
                "entity": one.name,
                "value": one.value,
                "role": one.role,
                "group": one.group,
            }
            for one in found.entities
        ],
    }


def entity_facts(text: str, facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "value": one.get("value") or text[one["start"] : one["end"]]} for one in facts]


def correction_facts(row: Correction) -> dict[str, Any]:
    return {
        "intent": row.intent,
        "entities": entity_facts(row.text, row.entities),
        "kind": row.kind,
        "state": row.state,
        "person": row.person_label,
        "at": row.at.timestamp(),
        "said_times": row.said_times,
        "revision": row.revision.number if row.revision else None,
    }
