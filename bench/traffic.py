"""Events as Rasa publishes them, made up with a seed: many short conversations and a few that go on for hours, 60
intents of which some are common and most are rare, and the kinds of events in the shares that a real Rasa has."""

import json
import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

INTENTS = [f"intent_{number:02}" for number in range(60)]
COMMONNESS = [1 / (rank + 1) for rank in range(len(INTENTS))]
ENTITIES = ["city", "date", "time", "people", "name", "order", "product", "amount"]
MODELS = [f"{number:032x}" for number in (0x5C4C2F3A9D1B, 0x5C4C2F3A9D1C, 0x5C4C2F3A9D1D)]
CHANNELS = ["rasa", "socketio", "rest", "telegram"]
WINDOW = 2000  # conversations that are mixed with each other
SYLLABLES = ["ba", "che", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"]
WORDS = 20_000  # of which a few are most of what is said, and most are hardly ever said
VALUES = 2000  # of each entity, likewise


LONG = 1.3  # of every conversation's sessions: the smaller, the more of them go on and on
SHORT = 3.0


def events(
    count: int, *, seed: int = 1, start: float = 1_790_000_000.0, every: float = 1.0, tail: float = LONG
) -> Iterator[bytes]:
    """`count` records in about the order in which they happened; a conversation begins `every` seconds on average.
    The same seed gives the same bytes."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        window: list[tuple[float, bytes]] = []
        for _ in range(WINDOW):
            start += chance.expovariate(1 / every)
            window += ((one["timestamp"], json.dumps(one).encode()) for one in conversation(chance, start, tail))
            if made + len(window) >= count:
                break
        window.sort()
        yield from (data for _, data in window[: count - made])
        made += len(window)


def conversation(chance: random.Random, at: float, tail: float = LONG) -> Iterator[dict[str, Any]]:
    """Sessions of three or four turns; half of the conversations are one session, one in a thousand is hundreds."""
    about = {
        "sender_id": f"{chance.getrandbits(128):032x}",
        "metadata": {"model_id": chance.choice(MODELS), "assistant_id": "20261121-cafe"},
    }
    channel = chance.choice(CHANNELS)
    for _ in range(min(300, int(chance.paretovariate(tail)))):
        for kind, fields in session(chance, channel):
            at += chance.expovariate(20.0 if kind != "user" else 0.1)
            yield about | {"event": kind, "timestamp": round(at, 7)} | fields


Step = tuple[str, dict[str, Any]]


def session(chance: random.Random, channel: str) -> Iterator[Step]:
    yield _action("action_session_start", None)
    yield "session_started", {}
    yield _action("action_listen", None)
    if chance.random() < 0.2:
        yield "restart", {}
    for _ in range(1 + int(chance.expovariate(0.38))):
        yield from _turn(chance, channel)


def _turn(chance: random.Random, channel: str) -> Iterator[Step]:
    intent = chance.choices(INTENTS, COMMONNESS)[0]
    user = _user(chance, intent, channel)
    yield "user", user
    yield "user_featurization", {"use_text_for_featurization": False}
    yield from (("slot", {"name": one["entity"], "value": one["value"]}) for one in user["parse_data"]["entities"])
    if intent == "intent_07":
        yield _action("action_look_up", "policy_0_MemoizationPolicy")
    yield _action(f"utter_{intent}", "policy_2_RulePolicy")
    yield "bot", {"text": _words(chance, 12), "data": dict.fromkeys(["elements", "quick_replies", "buttons", "image"])}
    yield _action("action_listen", "policy_2_RulePolicy")


def _action(name: str, policy: str | None) -> Step:
    fields = {"name": name, "policy": policy, "confidence": 1.0, "action_text": None, "hide_rule_turn": False}
    return "action", fields


def _user(chance: random.Random, intent: str, channel: str) -> dict[str, Any]:
    confidence = chance.betavariate(8, 1)
    others = [one for one in chance.sample(INTENTS, 5) if one != intent]
    ranking = [{"name": intent, "confidence": confidence}]
    ranking += [{"name": name, "confidence": (1 - confidence) * chance.random() / 10} for name in others]
    found = [chance.choice(ENTITIES)] if chance.random() < 0.2 else []
    text, value = _words(chance, 7), word(_skewed(chance, VALUES))
    parse = {
        "intent": ranking[0],
        "entities": [{"entity": one, "value": value, "start": 0, "end": 1, "extractor": "DIET"} for one in found],
        "intent_ranking": ranking,
        "text": text,
        "message_id": f"{chance.getrandbits(128):032x}",
    }
    return {"text": text, "parse_data": parse, "input_channel": channel, "message_id": parse["message_id"]}


def _words(chance: random.Random, most: int) -> str:
    return " ".join(word(_skewed(chance, WORDS)) for _ in range(1 + chance.randrange(most)))


def _skewed(chance: random.Random, count: int) -> int:
    """A number below `count`, each about as often as its rank in a language is: the tenth a tenth as often."""
    return int(count ** chance.random()) - 1


@lru_cache(maxsize=WORDS)
def word(rank: int) -> str:
    """The word of that rank, counted from 0: another for each."""
    base, written = len(SYLLABLES), SYLLABLES[rank % len(SYLLABLES)]
    while rank := rank // base:
        written += SYLLABLES[rank % base]
    return written
