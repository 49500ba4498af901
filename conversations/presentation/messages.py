"""What was said, out of a user's, a bot's or an agent's event, or out of the `rasa` channel's answer."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from conversations.presentation.items import Button, Entity, Intent, Message, Understanding
from conversations.presentation.reading import indented, listed, member, number, shown, text_of

_BOT_DATA = ("attachment", "elements", "quick_replies", "custom")


def user_message(event: dict[str, Any], at: datetime, event_id: int | None) -> Message:
    return Message(
        event_id=event_id,
        by="user",
        at=at,
        text=text_of(event.get("text")),
        understanding=understanding_of(member(event, "parse_data")),
        channel=text_of(event.get("input_channel")),
    )


def understanding_of(parse: dict[str, Any]) -> Understanding | None:
    """None when nothing parsed the message, as with events that a custom channel made up."""
    intent = member(parse, "intent")
    if not intent:
        return None
    entities = [_entity(one) for one in listed(parse, "entities")]
    ranking = sorted(map(_intent, listed(parse, "intent_ranking")), key=lambda one: -one.confidence)
    return Understanding(_intent(intent), ranking, entities)


def _entity(found: dict[str, Any]) -> Entity:
    start, end = found.get("start"), found.get("end")
    has_place = type(start) is int and type(end) is int and 0 <= start < end
    return Entity(
        text_of(found.get("entity")),
        shown(found.get("value")),
        text_of(found.get("role")),
        text_of(found.get("group")),
        text_of(found.get("extractor")),
        start if has_place else None,
        end if has_place else None,
    )


def _intent(found: dict[str, Any]) -> Intent:
    return Intent(text_of(found.get("name")), number(found.get("confidence")))


def bot_message(event: dict[str, Any], at: datetime, event_id: int | None, by: str = "bot") -> Message:
    """A `bot` event, or an `agent` event: both have text and data."""
    message = _said(text_of(event.get("text")), member(event, "data"), at, event_id, by)
    message.action = text_of(member(event, "metadata").get("utter_action"))
    return message


def reply_message(reply: dict[str, Any], at: datetime) -> Message:
    """One of the messages that Rasa's channel answers with; its event comes later."""
    return _said(text_of(reply.get("text")), reply, at, None, "bot")


def _said(text: str, data: dict[str, Any], at: datetime, event_id: int | None, by: str) -> Message:
    image = text_of(data.get("image"))
    attachment = data.get("attachment")
    if attachment == image:  # Rasa repeats a picture's address there
        attachment = None
    links = [link for link in (image, text_of(attachment)) if _may_link(link) and not _may_load(link)]
    if isinstance(attachment, str) and _may_link(attachment) and attachment not in links:
        links.append(text_of(attachment))
    rest = {key: data[key] for key in _BOT_DATA if data.get(key) and data[key] not in (*links, image)}
    return Message(
        event_id=event_id,
        by=by,
        at=at,
        text=text,
        buttons=list(_buttons(data)),
        image=image if _may_load(image) else "",
        links=links,
        custom=indented(rest.get("custom") if list(rest) == ["custom"] else rest) if rest else "",
    )


def _buttons(data: dict[str, Any]) -> Iterator[Button]:
    for one in listed(data, "buttons"):
        title = text_of(one.get("title"))
        yield Button(title, text_of(one.get("payload")) or title)


def _may_load(address: str) -> bool:
    """Pictures over https, or of our own host; the page's policy blocks all others."""
    return address.startswith("https://") or (address.startswith("/") and not address.startswith(("//", "/\\")))


def _may_link(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
