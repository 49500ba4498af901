"""What NLU made of a message, in the shape in which people confirm or correct it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conversations.presentation.items import FALLBACK_INTENT, Intent, StoredEvent
from conversations.presentation.messages import understanding_of
from conversations.presentation.reading import listed, loaded, member, text_of
from models_app.data.examples import Annotation, first_of_each_place

LONGEST = 20_000  # characters, as of the searchable copy
MOST_CHOICES = 4
# They come trained, so that examples teach them nothing.
_UNTRAINABLE = {"DucklingEntityExtractor", "SpacyEntityExtractor"}

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    intent: str  # empty when NLU gave up, or nothing parsed the message
    confidence: float | None
    ranking: Sequence[Intent]
    annotations: Sequence[Annotation]

    @property
    def words(self) -> str:
        """`inform 0.41 · diet 0.38`."""
        return " · ".join(str(one) for one in self.choices[:2])

    @property
    def choices(self) -> Sequence[Intent]:
        """The real intents it may be, best first."""
        return [one for one in self.ranking if one.name and not one.is_fallback][:MOST_CHOICES]


def said_in(event: StoredEvent) -> Said:
    payload = loaded(event.payload)
    parse = member(payload, "parse_data")
    text = text_of(payload.get("text"))[:LONGEST]
    found = understanding_of(parse)
    if found is None:
        return Said(text, "", None, (), _annotations(parse, text))
    intent = "" if found.intent.name == FALLBACK_INTENT else found.intent.name
    return Said(text, intent, found.intent.confidence, found.ranking or [found.intent], _annotations(parse, text))


def _annotations(parse: dict[str, Any], text: str) -> list[Annotation]:
    found = [_annotation(one, text) for one in listed(parse, "entities") if one.get("extractor") not in _UNTRAINABLE]
    return first_of_each_place([one for one in found if one is not None])


def _annotation(facts: Facts, text: str) -> Annotation | None:
    start, end, entity, value = (facts.get(key) for key in ("start", "end", "entity", "value"))
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        return None
    if not isinstance(entity, str) or not entity or not isinstance(value, str | None):
        return None
    words = text_of(value)
    kept = "" if words == text[start:end] else words
    return Annotation(start, end, text_of(entity), kept, text_of(facts.get("role")), text_of(facts.get("group")))


def as_facts(annotations: Sequence[Annotation]) -> list[Facts]:
    """For JSON, without what is empty."""
    return [
        {"start": one.start, "end": one.end, "entity": one.entity}
        | {key: fact for key in ("value", "role", "group") if (fact := getattr(one, key))}
        for one in annotations
    ]


def from_facts(facts: Sequence[Facts]) -> list[Annotation]:
    return [Annotation(**one) for one in facts]


def as_parse_data(text: str, intent: str, facts: Sequence[Facts]) -> Facts:
    """What people said of a message, in the shape in which Rasa writes what NLU makes of one."""
    entities = [{**one, "value": one.get("value") or text[one["start"] : one["end"]]} for one in facts]
    return {"intent": {"name": intent, "confidence": 1.0}, "entities": entities, "text": text}
