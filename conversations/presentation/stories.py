"""A conversation as Rasa's stories, in the YAML of format 3.1. Pure.

Each session is a story. What Rasa does by itself is left out (listening, beginning a session, rejected executions), and
what a rewind or an undo took back as well, as in Rasa's own writer (rasa/shared/core/training_data/story_writer).
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from conversations.presentation.annotation import annotated
from conversations.presentation.applied import repeats, rewound_to
from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import clean, listed, loaded, member, shown, text_of

Kind = Literal["training", "test"]
Step = Mapping[str, Any]
Payload = dict[str, Any]

FORMAT = "3.1"
LONGEST_COMMENT = 80
_BEGINS_SESSION = {"session_started", "restart"}
_NEW_SESSION = "action_session_start"
_OF_RASA = {"action_listen", _NEW_SESSION, "action_unlikely_intent"}
_SLOTS_OF_RASA = {"session_started_metadata"}


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    steps: Sequence[Step]
    entities: Sequence[str] = ()  # that its messages name, also where they stand in the text

    def names(self) -> Iterator[tuple[str, str]]:
        """What it asks the domain for: (`intent`, `greet`), (`slot`, `day`) and so on."""
        for step in self.steps:
            if intent := step.get("intent"):
                yield "intent", intent
            if action := step.get("action"):
                yield "action", action
            if loop := step.get("active_loop"):
                yield "form", loop
            yield from (("slot", name) for one in step.get("slot_was_set", ()) for name in one)
        yield from (("entity", name) for name in self.entities)


def stories_of(
    events: Iterable[StoredEvent], kind: Kind, title: str, meant: Mapping[int, Payload] | None = None
) -> list[Story]:
    """A story for each session of `events`, which come in their order; none where nothing was said.

    `title` begins the stories' names. Test stories have what people wrote, training stories what NLU made of it.

    `meant` has what people said of messages, by event: `parse_data` that takes the place of NLU's.
    """
    found = ((payloads, list(_steps(payloads, kind))) for payloads in _sessions(events, meant or {}))
    sessions = [(payloads, steps) for payloads, steps in found if steps and steps != [{"action": _NEW_SESSION}]]
    names = [title] if len(sessions) == 1 else [f"{title}, session {number}" for number in range(1, len(sessions) + 1)]
    return [
        Story(name, steps, _entity_names(payloads)) for name, (payloads, steps) in zip(names, sessions, strict=True)
    ]


def _entity_names(payloads: Iterable[Payload]) -> list[str]:
    found = (one for payload in payloads for one in listed(member(payload, "parse_data"), "entities"))
    return list(dict.fromkeys(name for one in found if (name := text_of(one.get("entity")))))


def file_yaml(stories: Sequence[Story]) -> str:
    return _dumped({"version": DoubleQuotedScalarString(FORMAT), "stories": _mappings(stories)})


def list_yaml(stories: Sequence[Story]) -> str:
    """The stories alone, as entries of a list at the left margin."""
    return _dumped(_mappings(stories))


def _mappings(stories: Sequence[Story]) -> list[dict[str, Any]]:
    return [{"story": story.name, "steps": list(story.steps)} for story in stories]


def _dumped(what: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(what, stream)
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 1000  # what somebody said stays on its line
    yaml.representer.add_representer(type(None), lambda of, _: of.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml


def _sessions(events: Iterable[StoredEvent], meant: Mapping[int, Payload]) -> Iterator[list[Payload]]:
    """What Rasa kept of each session."""
    session: list[Payload] = []
    for event in events:
        payload = loaded(event.payload) | {"event": event.kind, "timestamp": event.timestamp}
        if event.pk in meant:
            payload["parse_data"] = meant[event.pk]
        if event.kind in _BEGINS_SESSION:
            yield session
            session = []
        elif event.kind == "rewind":
            _rewind(session, rewound_to(payload))
        elif event.kind == "undo":
            _take_back(session, "action")
        elif not repeats(payload):
            session.append(payload)
    yield session


def _rewind(session: list[Payload], to: float | None) -> None:
    """One of ours says how far; another takes the last message, and the listening before it."""
    if to is None:
        _take_back(session, "user")
        _take_back(session, "action")
        return
    kept = [at for at, payload in enumerate(session) if payload["timestamp"] < to]
    del session[kept[-1] + 1 if kept else 0 :]


def _take_back(session: list[Payload], kind: str) -> None:
    while session and session.pop()["event"] != kind:
        pass


def _steps(session: list[Payload], kind: Kind) -> Iterator[Step]:
    for number, payload in enumerate(session):
        if payload["event"] == "user":
            by_text = _is_read_by_text(session[number + 1 :])
            step = _said(payload) if by_text else _user(payload, kind)
        else:
            step = _STEPS.get(payload["event"], _none)(payload)
        if step:
            yield step


def _is_read_by_text(following: list[Payload]) -> bool:
    """Whether the policies chose by the words themselves and not by the intent (end-to-end training)."""
    for payload in following:
        if payload["event"] in ("user", "user_featurization"):
            return payload["event"] == "user_featurization" and payload.get("use_text_for_featurization") is True
    return False


def _said(payload: Payload) -> Step:
    text = text_of(payload.get("text")).strip()
    return {"user": _block(text)} if text else {}


def _block(text: str) -> str:
    """As Rasa's writer has it, on lines of its own; quoted where a block could not hold it."""
    is_plain = all(line.isprintable() for line in text.split("\n"))
    block: str = LiteralScalarString(text) if is_plain else DoubleQuotedScalarString(text)
    return block


def _user(payload: Payload, kind: Kind) -> Step:
    parse = member(payload, "parse_data")
    intent = text_of(member(parse, "intent").get("name"))
    if not intent:  # as a message is written whose intent nobody names
        return _said(payload)
    text = text_of(payload.get("text")).strip()
    step = CommentedMap()
    if kind == "test" and text:
        step["user"] = _block(annotated(text_of(payload.get("text")), listed(parse, "entities")))
    step["intent"] = _with_response(intent, parse) if kind == "test" else intent.partition("/")[0]
    if kind == "training":
        if not text.startswith("/") and (comment := _comment(text)):
            step.yaml_add_eol_comment(comment, "intent")
        if entities := [_entity(one) for one in listed(parse, "entities") if text_of(one.get("entity"))]:
            step["entities"] = entities
    return step


def _with_response(intent: str, parse: Payload) -> str:
    """The retrieval intent with what it retrieved, `faq/opening_hours`, which test stories may ask for."""
    for found in member(parse, "response_selector").values():
        key = text_of(member(found, "response").get("intent_response_key"))
        if key.startswith(f"{intent}/"):
            return key
    return intent


def _comment(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_COMMENT else f"{line[: LONGEST_COMMENT - 1]}…"


def _entity(found: Payload) -> Step:
    more = {key: text_of(found.get(key)) for key in ("role", "group") if text_of(found.get(key))}
    value = found.get("value")
    return {text_of(found["entity"]): text_of(value) if isinstance(value, str) else shown(value), **more}


def _action(payload: Payload) -> Step:
    name, text = text_of(payload.get("name")), text_of(payload.get("action_text"))
    if name == _NEW_SESSION and text_of(payload.get("policy")):  # a policy's decision, and no session that expired
        return {"action": name}
    if name:
        return {} if name in _OF_RASA else {"action": name}
    return {"bot": text} if text else {}


def _slot(payload: Payload) -> Step:
    name = text_of(payload.get("name"))
    return {} if not name or name in _SLOTS_OF_RASA else {"slot_was_set": [{name: clean(payload.get("value"))}]}


def _loop(payload: Payload) -> Step:
    return {"active_loop": text_of(payload.get("name")) or None}


def _none(payload: Payload) -> Step:
    return {}


_STEPS = {"action": _action, "slot": _slot, "active_loop": _loop, "form": _loop}
