"""What a conversation can be found by: terms, each a letter for its kind and a value. Pure: no database.

`w` a word that was said, `i` intent, `e` entity, `E` entity and value, `a` action, `p` policy, `s` slot, `S` slot and
value, `c` channel, `m` Rasa's model_id. In the index a term is a number, the same for every process and for ever.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

WORD, INTENT, ENTITY, ENTITY_VALUE, ACTION = "w", "i", "e", "E", "a"
POLICY, SLOT, SLOT_VALUE, CHANNEL, MODEL = "p", "s", "S", "c", "m"
# Kinds that are kept by name too: words for finding those that contain some letters, names to be offered.
NAMED = {WORD, INTENT, ENTITY, ACTION, POLICY, SLOT, CHANNEL}

SAID = "user", "bot", "agent"  # kinds of events in which somebody says something
KINDS_WITH_TERMS_INSIDE = "user", "slot", "entities"  # of which the columns do not say everything

WORD_LENGTH = 64
VALUE_LENGTH = 200
MOST_WORDS = 1000  # of one message
MOST_VALUES = 100  # entities of one message, elements of one slot
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text, case folded, in their order; long ones are cut."""
    return [word[:WORD_LENGTH] for word in _WORD.findall(text.casefold())[:MOST_WORDS]]


def named_value(name: str, value: object) -> str | None:
    """`city=paris`, the same for all ways to write it in capitals and blanks; None for no value."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"{name}={' '.join(text.casefold().split())[:VALUE_LENGTH]}"


def of_event(
    kind: str, *, name: str, policy: str, channel: str, model_id: str, text: str, event: dict[str, Any]
) -> set[str]:
    """The terms of one event: its columns, and for entities and the values of slots the event as Rasa sent it."""
    found = {MODEL + model_id} if model_id else set()
    if kind == "user":
        found.update((INTENT + name, CHANNEL + channel))
        parsed = event.get("parse_data")
        found.update(_entities(parsed if isinstance(parsed, dict) else {}))
    elif kind == "action":
        found.update((ACTION + name, POLICY + policy))
    elif kind == "slot":
        found.add(SLOT + name)
        found.update(_values(SLOT_VALUE, name, event.get("value")))
    elif kind == "entities":
        found.update(_entities(event))
    if kind in SAID:
        found.update(WORD + word for word in words(text))
    found -= _OF_NOTHING
    return found


_OF_NOTHING = {INTENT, CHANNEL, ACTION, POLICY, SLOT}  # kinds with an empty value


def _entities(holder: dict[str, Any]) -> Iterator[str]:
    listed = holder.get("entities")
    for one in listed[:MOST_VALUES] if isinstance(listed, list) else ():
        name = one.get("entity") if isinstance(one, dict) else None
        if isinstance(name, str) and name:
            yield ENTITY + name[:VALUE_LENGTH]
            yield from _values(ENTITY_VALUE, name, one.get("value"))


def _values(kind: str, name: str, value: object) -> Iterator[str]:
    """Of a list each element, so that one can look for any of them."""
    for one in value[:MOST_VALUES] if isinstance(value, list) else (value,):
        if found := named_value(name[:VALUE_LENGTH], one):
            yield kind + found


@lru_cache(maxsize=20_000)
def number(assistant_id: int, term: str) -> int:
    """A term of one assistant as the index holds it: 64 bits, signed."""
    data = f"{assistant_id}\n{term}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), signed=True)


def numbers(assistant_id: int, terms: Iterable[str]) -> list[int]:
    return [number(assistant_id, term) for term in terms]
