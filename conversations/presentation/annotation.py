"""Entities written into a text, as Rasa's training data has them: `for [two]{"entity": "people", "value": 2}`."""

import json
from collections.abc import Iterable
from typing import Any

from conversations.presentation.reading import text_of

_MORE = ("role", "group")


def annotated(text: str, entities: Iterable[dict[str, Any]]) -> str:
    """`text` with those of `entities` that have a place in it.

    Of several at overlapping places the first stays. What Rasa could not read back is left bare: a `]` in the words,
    a `}` in the value; and messages such as `/greet{"name": "Ann"}`, which name their entities themselves.
    """
    if text.startswith("/"):
        return text.strip()
    result, done = "", 0
    for one in sorted(filter(_has_place, entities), key=lambda one: (one["start"], -one["end"])):
        start, end = one["start"], one["end"]
        words = text[start:end]
        if start < done or end > len(text) or not words or "]" in words:
            continue
        about = _about(one, words)
        if "}" not in about[1:-1]:
            result += f"{text[done:start]}[{words}]{about}"
            done = end
    return (result + text[done:]).strip()


def _has_place(entity: dict[str, Any]) -> bool:
    start, end = entity.get("start"), entity.get("end")
    is_named = bool(text_of(entity.get("entity")))
    return is_named and type(start) is int and type(end) is int and 0 <= start < end


def _about(entity: dict[str, Any], words: str) -> str:
    name, value = text_of(entity["entity"]), entity.get("value")
    about = {"entity": name}
    if value is not None and value != words:
        about["value"] = text_of(value) if isinstance(value, str) else value
    about |= {key: text_of(entity[key]) for key in _MORE if text_of(entity.get(key))}
    if len(about) == 1 and not set(name) & set(":()"):
        return f"({name})"
    return json.dumps(about, ensure_ascii=False)
