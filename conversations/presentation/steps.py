"""Words for events that are no messages: one small function for each kind that Rasa has, one for all others."""

import re
from collections.abc import Callable
from typing import Any

from conversations.presentation.items import Step, StoredEvent, Words
from conversations.presentation.reading import moment, number, shown, text_of

_ENSEMBLE_PREFIX = re.compile(r"^policy_\d+_")
_QUIET_ACTIONS = {"action_listen", "action_session_start", "action_unlikely_intent"}
_QUIET_SLOTS = {"session_started_metadata"}


Payload = dict[str, Any]


def step_of(event: StoredEvent, payload: Payload) -> Step:
    """`payload` is that of the event, read."""
    say = _WORDS.get(event.kind) or _unknown(event)
    return Step.of(say(payload), event_id=event.pk, kind=event.kind, at=moment(event.timestamp))


def policy_name(payload: Payload) -> str:
    """`RulePolicy` of Rasa's `policy_2_RulePolicy`."""
    return _ENSEMBLE_PREFIX.sub("", text_of(payload.get("policy")))


def policy_of(payload: Payload) -> str:
    """`RulePolicy 1.00`: with its confidence."""
    name = policy_name(payload)
    return f"{name} {number(payload.get('confidence')):.2f}" if name else ""


def _action(payload: Payload) -> Words:
    name = text_of(payload.get("name")) or text_of(payload.get("action_text")) or "an action without a name"
    # What an utterance says follows as a message of its own, which names its action.
    quiet = name in _QUIET_ACTIONS or name.startswith("utter_")
    return Words(name, policy=policy_of(payload), quiet=quiet, bad=name == "action_default_fallback")


def _slot(payload: Payload) -> Words:
    name, value = text_of(payload.get("name")), payload.get("value")
    if name == "requested_slot":
        return Words("asks for", text_of(value), quiet=True) if value else Words("asks for nothing more", quiet=True)
    if value is None:
        return Words("slot cleared:", name)
    return Words("slot", name, shown(value), quiet=name in _QUIET_SLOTS)


def _form(payload: Payload) -> Words:
    name = text_of(payload.get("name"))
    return Words("", name, after="started") if name else Words("form ended")


def _reminder(payload: Payload) -> Words:
    return Words("reminder set:", text_of(payload.get("intent")), text_of(payload.get("date_time")))


def _rejected(payload: Payload) -> Words:
    return Words("", text_of(payload.get("name")), after="did not run", bad=True)


def _followup(payload: Payload) -> Words:
    return Words("next is", text_of(payload.get("name")))


def _interrupted(payload: Payload) -> Words:
    interrupted = payload.get("is_interrupted") is True
    return Words("form interrupted" if interrupted else "form goes on", quiet=not interrupted)


def _unknown(event: StoredEvent) -> Callable[[Payload], Words]:
    return lambda payload: Words(event.kind.replace("_", " "), text_of(payload.get("name")))


def _says(text: str, *, quiet: bool = False) -> Callable[[Payload], Words]:
    return lambda payload: Words(text, quiet=quiet)


_WORDS: dict[str, Callable[[Payload], Words]] = {
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
