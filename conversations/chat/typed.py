"""Messages that name an intent themselves, `/inform{"city": "Rome"}`: NLU is passed over. Pure.

What Rasa reads is in rasa/shared/core/training_data/story_reader/yaml_story_reader.py (`unpack_regex_message`): what
does not fit it is taken for words, and only its log says so. Hence we say it before the message is sent.
"""

import json
import re
from collections.abc import Iterable

from models_app.models import Model
from studio.rasa.domain import DomainSummary

_INTENT = re.compile(r"/(?P<name>[^\s{@/]+)\s*(?P<confidence>@[0-9.]+)?\s*(?P<entities>\{.*)?", re.DOTALL)
OF_RASA = ("back", "restart", "session_start")  # every domain has them
EXAMPLE = '/inform{"city": "Rome"}'


def problem_of(text: str) -> str:
    """Why Rasa would take what is meant as an intent for words; empty when it would not."""
    match = _INTENT.fullmatch(text.strip())
    if match is None or not match["entities"]:
        return ""
    try:
        entities = json.loads(match["entities"])
    except (ValueError, RecursionError) as error:
        where = (
            f" It goes wrong at character {_place(match, error)}." if isinstance(error, json.JSONDecodeError) else ""
        )
        return f"What stands in the braces is not JSON.{where} Write it like {EXAMPLE}."
    if not isinstance(entities, dict):
        return f"The braces must hold entities with their values, like {EXAMPLE}."
    return ""


def _place(match: "re.Match[str]", error: json.JSONDecodeError) -> int:
    return match.start("entities") + error.pos + 1


def intents_of(model: Model | None) -> list[str]:
    """What may be typed, for suggestions; empty while nobody knows the domain."""
    return _named(model, "intents", OF_RASA)


def entities_of(model: Model | None) -> list[str]:
    return _named(model, "entities")


def _named(model: Model | None, kind: str, more: Iterable[str] = ()) -> list[str]:
    names = DomainSummary.from_json(model.domain).names(kind) if model is not None else ()
    return sorted({*names, *more}) if names else []
