"""What demo guests say: the assistant's own examples in other orders, a booking, and now and then nonsense."""

import re
from collections.abc import Iterator
from random import Random

from ruamel.yaml import YAML

_ANNOTATION = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")
QUESTIONS = (
    "ask_hours", "ask_menu", "ask_price", "ask_diet", "ask_recommendation", "ask_directions", "ask_wifi",
    "ask_events", "ask_payment", "ask_dogs", "ask_takeaway", "ask_capabilities", "tell_joke", "compliment",
)  # fmt: skip
DAYS = ("today", "tomorrow", "friday", "saturday", "sunday", "thursday", "monday")
TIMES = ("noon", "18:30", "7 pm", "19:00", "20:15", "13:00")
NOT_UNDERSTOOD = (
    "asdf qwerty", "can you fix my bicycle", "what is the square root of nine", "mein hovercraft", "??", "blorp",
    "how tall is the mayor", "sell me a train ticket",
)  # fmt: skip


def examples_of(files: dict[str, bytes]) -> dict[str, list[str]]:
    """Intent to its examples, without annotations, from every NLU file."""
    found: dict[str, list[str]] = {}
    for path, content in files.items():
        if not path.endswith((".yml", ".yaml")):
            continue
        document = YAML(typ="safe", pure=True).load(content.decode())
        for entry in (document or {}).get("nlu", []) if isinstance(document, dict) else []:
            if "intent" in entry:
                lines = [line.strip().removeprefix("- ") for line in str(entry.get("examples", "")).splitlines()]
                found[entry["intent"]] = [_ANNOTATION.sub(r"\1", line) for line in lines if line]
    return found


def dialogues(examples: dict[str, list[str]], count: int, seed: int = 7) -> Iterator[list[str]]:
    """`count` lists of user messages; the same seed gives the same ones."""
    random = Random(seed)  # noqa: S311 - variety, not secrecy
    for _ in range(count):
        yield list(_dialogue(examples, random))


def _dialogue(examples: dict[str, list[str]], random: Random) -> Iterator[str]:
    if random.random() < 0.6:
        yield _say(examples, "greet", random)
    for intent in random.sample(QUESTIONS, random.randint(1, 4)):
        yield _say(examples, intent, random)
    if random.random() < 0.12:
        yield random.choice(NOT_UNDERSTOOD)
    if random.random() < 0.35:
        yield from _booking(examples, random)
    if random.random() < 0.5:
        yield _say(examples, "thank", random)
    if random.random() < 0.4:
        yield _say(examples, "goodbye", random)


def _booking(examples: dict[str, list[str]], random: Random) -> Iterator[str]:
    yield "I'd like to book a table"
    yield str(random.randint(2, 6))
    if random.random() < 0.25:
        yield _say(examples, random.choice(("ask_hours", "ask_diet", "ask_dogs")), random)
    yield random.choice(DAYS)
    yield random.choice(TIMES)
    if random.random() < 0.1:
        yield _say(examples, "cancel", random)
        return
    yield "Robin"
    yield random.choice(("yes", "yes please", "no"))


def _say(examples: dict[str, list[str]], intent: str, random: Random) -> str:
    return random.choice(examples.get(intent) or [f"/{intent}"])
