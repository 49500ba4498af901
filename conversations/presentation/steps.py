"""Words for events that are no messages: one small function for each kind that Rasa has, one for all others."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conversations.presentation.items import Step, StoredEvent
from conversations.presentation.reading import moment, number, shown, text_of

_ENSEMBLE_PREFIX = re.compile(r"^policy_\d+_")
_QUIET_ACTIONS = {"action_listen", "action_session_start", "action_unlikely_intent"}
_QUIET_SLOTS = {"session_started_metadata"}


@dataclass(frozen=True, slots=True)
class _Words:
    text: str
    subject: str = ""
    value: str = ""
    after: str = ""
    policy: str = ""
    quiet: bool = False
    bad: bool = False


Payload = dict[str, Any]


def step_of(event: StoredEvent, payload: Payload) -> Step:
    """`payload` is that of the event, read."""
    words = _WORDS.get(event.kind, _unknown(event))(payload)
    return Step(
        event_id=event.pk,
        kind=event.kind,
        at=moment(event.timestamp),
        text=words.text,
        subject=words.subject,
        value=words.value,
        after=words.after,
        policy=words.policy,
        quiet=words.quiet,
        bad=words.bad,
    )


def policy_of(payload: Payload) -> str:
    """`RulePolicy 1.00` of Rasa's `policy_2_RulePolicy` and its confidence."""
    name = _ENSEMBLE_PREFIX.sub("", text_of(payload.get("policy")))
    return f"{name} {number(payload.get('confidence')):.2f}" if name else ""


def _action(payload: Payload) -> _Words:
    name = text_of(payload.get("name")) or text_of(payload.get("action_text")) or "an action without a name"
    # What an utterance says follows as a message of its own, which names its action.
    quiet = name in _QUIET_ACTIONS or name.startswith("utter_")
    return _Words(name, policy=policy_of(payload), quiet=quiet, bad=name == "action_default_fallback")


def _slot(payload: Payload) -> _Words:
    name, value = text_of(payload.get("name")), payload.get("value")
    if name == "requested_slot":
        return _Words("asks for", text_of(value), quiet=True) if value else _Words("asks for nothing more", quiet=True)
    if value is None:
        return _Words("slot cleared:", name)
    return _Words("slot", name, shown(value), quiet=name in _QUIET_SLOTS)


def _form(payload: Payload) -> _Words:
    name = text_of(payload.get("name"))
    return _Words("", name, after="started") if name else _Words("form ended")


def _reminder(payload: Payload) -> _Words:
    return _Words("reminder set:", text_of(payload.get("intent")), text_of(payload.get("date_time")))


def _rejected(payload: Payload) -> _Words:
    return _Words("", text_of(payload.get("name")), after="did not run", bad=True)


def _followup(payload: Payload) -> _Words:
    return _Words("next is", text_of(payload.get("name")))


def _interrupted(payload: Payload) -> _Words:
    interrupted = payload.get("is_interrupted") is True
    return _Words("form interrupted" if interrupted else "form goes on", quiet=not interrupted)


def _unknown(event: StoredEvent) -> Callable[[Payload], _Words]:
    return lambda payload: _Words(event.kind.replace("_", " "), text_of(payload.get("name")))


def _says(text: str, *, quiet: bool = False) -> Callable[[Payload], _Words]:
    return lambda payload: _Words(text, quiet=quiet)


_WORDS: dict[str, Callable[[Payload], _Words]] = {
    "action": _action,
    "slot": _slot,
    "active_loop": _form,
    "form": _form,
    "reminder": _reminder,
    "cancel_reminder": _says("reminder cancelled"),
    "action_execution_rejected": _rejected,
    "followup": _followup,
    "loop_interrupted": _interrupted,
    "form_validation": _interrupted,
    "user_featurization": _says("text turned into features", quiet=True),
    "entities": _says("entities found", quiet=True),
    "rewind": _says("the last message is taken back"),
    "undo": _says("the last action is taken back"),
    "pause": _says("the assistant is paused"),
    "resume": _says("the assistant goes on"),
    "story": _says("story exported", quiet=True),
    "export": _says("story exported", quiet=True),
}
