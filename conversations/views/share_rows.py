"""A share link as the list and its own page show it."""

from dataclasses import dataclass

from conversations.chat.guests import is_full
from conversations.chat.links import LinkState, address_of, state_of
from conversations.chat.words import LANGUAGES
from conversations.models import ShareLink
from studio.checks import on_this_machine

_STATUS = {
    LinkState.OPEN: ("running", "Open"),
    LinkState.OFF: ("silent", "Off"),
    LinkState.EXPIRED: ("silent", "Ended"),
    LinkState.REVOKED: ("silent", "Revoked"),
    LinkState.GONE: ("warning", "Gone"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One link. `address` is empty once it can never work again."""

    link: ShareLink
    conversations: int
    may_read: bool

    @property
    def state(self) -> LinkState:
        return state_of(self.link)

    @property
    def key(self) -> str:
        return str(self.link.pk)

    @property
    def status(self) -> tuple[str, str]:
        if self.state is LinkState.OPEN and is_full(self.link):
            return "warning", "Full"
        return _STATUS[self.state]

    @property
    def address(self) -> str:
        return "" if self.state in (LinkState.REVOKED, LinkState.GONE) else address_of(self.link)

    @property
    def opens_here_only(self) -> bool:
        """The address leads guests to their own machine, not to this one."""
        return on_this_machine(self.address)

    @property
    def options(self) -> list[str]:
        """What is set on it besides the usual, in a few words each."""
        link = self.link
        words = {
            "password": bool(link.password),
            f"{link.wrote_count} of {link.visitors_limit} visitors": bool(link.visitors_limit),
            f"{link.messages_limit} messages each": bool(link.messages_limit),
            f"{link.get_look_display().lower()} look": bool(link.look),
            link.accent: bool(link.accent),
            LANGUAGES.get(link.language, link.language): bool(link.language),
            f"on {len(link.origins)} other site{'s' if len(link.origins) != 1 else ''}": bool(link.origins),
            "no ratings": not link.takes_ratings,
        }
        return [text for text, is_set in words.items() if is_set]
