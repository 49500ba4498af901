"""The items of a conversation's page, in order."""

from collections.abc import Iterable, Mapping
from datetime import date

from conversations.presentation.items import Divider, Item, Machinery, Message, StoredEvent
from conversations.presentation.messages import bot_message, user_message
from conversations.presentation.reading import loaded, member, moment, text_of
from conversations.presentation.steps import policy_of, step_of


def timeline(events: Iterable[StoredEvent], model_names: Mapping[str, str] | None = None) -> list[Item]:
    """Messages, folded machinery and dividers of `events`, which come in their order.

    `model_names` gives the names people know for Rasa's model ids; others are shown as they are.
    """
    page = _Page(model_names or {})
    for event in events:
        page.add(event)
    return page.items


class _Page:
    def __init__(self, model_names: Mapping[str, str]) -> None:
        self.model_names = model_names
        self.items: list[Item] = []
        self.day: date | None = None
        self.model = ""
        self.unanswered: Message | None = None
        self.policies: dict[str, str] = {}  # of each action of this turn, for the messages it utters

    def add(self, event: StoredEvent) -> None:
        payload = loaded(event.payload)
        self._note_day(event)
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
        self.unanswered, self.policies = message, {}
        self.items.append(message)

    def _add_bot(self, event: StoredEvent, payload: dict[str, object]) -> None:
        message = bot_message(payload, moment(event.timestamp), event.pk, by=event.kind)
        message.policy = self.policies.get(message.action, "")
        if self.unanswered is not None:
            self.unanswered.answered_in = (message.at - self.unanswered.at).total_seconds()
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

    def _note_model(self, event: StoredEvent, payload: dict[str, object]) -> None:
        model = text_of(member(payload, "metadata").get("model_id"))
        if not model or model == self.model:
            return
        if self.model:
            name = self.model_names.get(model, model)
            self.items.append(Divider("model", moment(event.timestamp), model=name))
        self.model = model
