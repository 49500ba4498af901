"""The items of a conversation's page, in order."""

from collections.abc import Iterable, Mapping
from datetime import date

from conversations.presentation.applied import repeats
from conversations.presentation.items import Divider, Item, Machinery, Message, StoredEvent
from conversations.presentation.messages import bot_message, user_message
from conversations.presentation.reading import loaded, member, moment, text_of
from conversations.presentation.steps import policy_of, step_of

PAUSE = 60.0  # seconds of silence that are worth a line


def timeline(
    events: Iterable[StoredEvent],
    model_names: Mapping[str, str] | None = None,
    *,
    several_models: bool = False,
    read_until: float | None = None,
) -> list[Item]:
    """Messages, folded machinery and dividers of `events`, which come in their order.

    `model_names` gives the names people know for Rasa's model ids; others are shown as they are. With `several_models`
    the first one is named as well. `read_until` is the time up to which the reader knows the events.
    """
    page = _Page(model_names or {}, several_models, read_until)
    for event in events:
        page.add(event)
    return page.items


class _Page:
    def __init__(self, model_names: Mapping[str, str], several_models: bool, read_until: float | None) -> None:
        self.model_names = model_names
        self.several_models = several_models
        self.read_until = read_until
        self.last_at: float | None = None
        self.items: list[Item] = []
        self.day: date | None = None
        self.model = ""
        self.unanswered: Message | None = None
        self.policies: dict[str, str] = {}  # of each action of this turn, for the messages it utters

    def add(self, event: StoredEvent) -> None:
        payload = loaded(event.payload)
        self._note_pause(event)
        self._note_day(event)
        self._note_unread(event)
        self._note_model(event, payload)
        if event.kind == "user":
            self._add_user(event, payload)
        elif event.kind in {"bot", "agent"}:
            self._add_bot(event, payload)
        elif event.kind == "session_started":
            self._divide("session", event)
        elif event.kind == "restart":
            self._divide("restart", event)
        else:
            self._add_step(event, payload)

    def _add_user(self, event: StoredEvent, payload: dict[str, object]) -> None:
        message = user_message(payload, moment(event.timestamp), event.pk)
        message.is_repeated = repeats(payload)
        self.unanswered, self.policies = message, {}
        self.items.append(message)

    def _add_bot(self, event: StoredEvent, payload: dict[str, object]) -> None:
        message = bot_message(payload, moment(event.timestamp), event.pk, by=event.kind)
        message.is_repeated = repeats(payload)
        message.policy = self.policies.get(message.action, "")
        if self.unanswered is not None:
            self.unanswered.answered_in = message.after = (message.at - self.unanswered.at).total_seconds()
            self.unanswered = None
        self.items.append(message)

    def _add_step(self, event: StoredEvent, payload: dict[str, object]) -> None:
        if event.kind == "action":
            self.policies[text_of(payload.get("name"))] = policy_of(payload)
        last = self.items[-1] if self.items else None
        if not isinstance(last, Machinery):
            last = Machinery()
            self.items.append(last)
        last.steps.append(step_of(event, payload))

    def _divide(self, kind: str, event: StoredEvent) -> None:
        self.items.append(Divider(kind, moment(event.timestamp), event.pk))

    def _note_day(self, event: StoredEvent) -> None:
        at = moment(event.timestamp)
        if at.date() != self.day:
            self.day = at.date()
            self.items.append(Divider("day", at))

    def _note_pause(self, event: StoredEvent) -> None:
        if self.last_at is not None and event.timestamp - self.last_at >= PAUSE:
            self.items.append(Divider("pause", moment(event.timestamp), seconds=event.timestamp - self.last_at))
        self.last_at = event.timestamp

    def _note_unread(self, event: StoredEvent) -> None:
        if self.read_until is not None and event.timestamp > self.read_until:
            self.read_until = None
            if self.items:
                self.items.append(Divider("unread", moment(event.timestamp)))

    def _note_model(self, event: StoredEvent, payload: dict[str, object]) -> None:
        model = text_of(member(payload, "metadata").get("model_id"))
        if not model or model == self.model:
            return
        if self.model or self.several_models:
            name = self.model_names.get(model, model)
            self.items.append(Divider("model", moment(event.timestamp), model=name, is_first=not self.model))
        self.model = model
