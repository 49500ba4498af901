"""A conversation as Rasa's stories, in the YAML of format 3.1. Pure.

Each session is a story. What Rasa does by itself is left out (listening, beginning a session, rejected executions), and
what a rewind or an undo took back as well, as in Rasa's own writer (rasa/shared/core/training_data/story_writer).
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from conversations.presentation.annotation import annotated
from conversations.presentation.items import StoredEvent
from conversations.presentation.reading import clean, listed, loaded, member, shown, text_of

Kind = Literal["training", "test"]
Step = Mapping[str, Any]
Payload = dict[str, Any]

FORMAT = "3.1"
LONGEST_COMMENT = 80
_BEGINS_SESSION = {"session_started", "restart"}
_OF_RASA = {"action_listen", "action_session_start", "action_unlikely_intent"}
_SLOTS_OF_RASA = {"session_started_metadata"}


def stories_yaml(events: Iterable[StoredEvent], kind: Kind, title: str) -> str:
    """A file with a story for each session of `events`, which come in their order; empty where nothing was said.

    `title` begins the stories' names. Test stories have what people wrote, training stories what NLU made of it.
    """
    sessions = [steps for payloads in _sessions(events) if (steps := list(_steps(payloads, kind)))]
    if not sessions:
        return ""
    names = [title] if len(sessions) == 1 else [f"{title}, session {number}" for number in range(1, len(sessions) + 1)]
    stories = [{"story": name, "steps": steps} for name, steps in zip(names, sessions, strict=True)]
    stream = io.StringIO()
    _yaml().dump({"version": DoubleQuotedScalarString(FORMAT), "stories": stories}, stream)
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 1000  # what somebody said stays on its line
    yaml.representer.add_representer(type(None), lambda of, _: of.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml


def _sessions(events: Iterable[StoredEvent]) -> Iterator[list[Payload]]:
    """What Rasa kept of each session."""
    session: list[Payload] = []
    for event in events:
        payload = loaded(event.payload) | {"event": event.kind}
        if event.kind in _BEGINS_SESSION:
            yield session
            session = []
        elif event.kind == "rewind":  # the message, and the listening before it
            _take_back(session, "user")
            _take_back(session, "action")
        elif event.kind == "undo":
            _take_back(session, "action")
        else:
            session.append(payload)
    yield session


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
