"""What the left navigation shows. Each app registers its entries in AppConfig.ready(), so that none is known here.

navigation.register(
    Entry(key="models", label="Models", icon="cube", url_name="models:list",
          permission=Permission.MODELS_VIEW, order=20, per_assistant=True, shortcut="m")
)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from studio.access.permissions import Permission


class Assistant(Protocol):
    """What the shell needs to know of an assistant; models_app's row has it."""

    id: int
    slug: str
    title: str


class Viewer(Protocol):
    @property
    def is_authenticated(self) -> bool: ...

    def may(self, permission: Permission) -> bool: ...

    def may_somewhere(self, permission: Permission, assistant_id: int | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation.

    `url_name` takes the assistant's slug when `per_assistant`. The entry is active on its own page and on every page
    whose URL name begins with one of `match`; without `match`, on every page of its URL namespace.
    `everywhere`: holding the permission for one assistant is not enough.
    """

    key: str
    label: str
    icon: str
    url_name: str
    order: int
    permission: Permission | None = None
    per_assistant: bool = False
    everywhere: bool = False
    group: Literal["main", "settings"] = "main"
    shortcut: str = ""
    match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as one viewer sees it on one page."""

    key: str
    label: str
    icon: str
    url: str
    group: str
    shortcut: str
    active: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the assistant switcher."""

    title: str
    url: str
    current: bool


AssistantsProvider = Callable[[HttpRequest], Sequence[Assistant]]


@dataclass(slots=True)
class _Assistants:
    provider: AssistantsProvider | None = None
    list_url_name: str = ""


_entries: dict[str, Entry] = {}
_assistants = _Assistants()


def register(entry: Entry) -> None:
    """Add an entry; a second one with the same key replaces the first."""
    _entries[entry.key] = entry


def set_assistants(provider: AssistantsProvider, *, list_url_name: str = "") -> None:
    """Name the function that lists the assistants its viewer may see, in the order of the switcher, and their page."""
    _assistants.provider, _assistants.list_url_name = provider, list_url_name


def assistants(request: HttpRequest) -> Sequence[Assistant]:
    return _assistants.provider(request) if _assistants.provider else ()


def assistants_url() -> str | None:
    return _reverse(_assistants.list_url_name)


def switcher(
    request: HttpRequest, viewer: Viewer, choices: Iterable[Assistant], current: Assistant | None
) -> list[Choice]:
    """Each assistant, linked to the section that the page belongs to."""
    return [
        Choice(choice.title, home(request, viewer, choice), current is not None and choice.slug == current.slug)
        for choice in choices
    ]


def home(request: HttpRequest, viewer: Viewer, assistant: Assistant) -> str:
    """Where an assistant's name leads: the same section of it as now, else the first its viewer may open."""
    entries = [entry for entry in _allowed(viewer, assistant) if entry.per_assistant and _address(entry, assistant)]
    best = _active(request, entries) or next(iter(entries), None)
    return (_address(best, assistant) if best else None) or "/"


def items(request: HttpRequest, viewer: Viewer, assistant: Assistant | None) -> list[Item]:
    """The entries that exist and that `viewer` may open, in order; pages of an assistant point at `assistant`."""
    linked = [(entry, url) for entry in _allowed(viewer, assistant) if (url := _address(entry, assistant))]
    active = _active(request, [entry for entry, _ in linked])
    return [_item(entry, url, entry is active) for entry, url in linked]


def _allowed(viewer: Viewer, assistant: Assistant | None) -> list[Entry]:
    return [entry for entry in sorted(_entries.values(), key=_place) if _may_open(entry, viewer, assistant)]


def _place(entry: Entry) -> tuple[int, str]:
    return entry.order, entry.key


def _may_open(entry: Entry, viewer: Viewer, assistant: Assistant | None) -> bool:
    if entry.permission is None:
        return True
    if entry.everywhere:
        return viewer.may(entry.permission)
    return viewer.may_somewhere(entry.permission, assistant.id if entry.per_assistant and assistant else None)


def _address(entry: Entry, assistant: Assistant | None) -> str | None:
    if not entry.per_assistant:
        return _reverse(entry.url_name)
    return _reverse(entry.url_name, assistant.slug) if assistant else None


def _reverse(url_name: str, slug: str | None = None) -> str | None:
    """None for a page that does not exist in this installation."""
    try:
        return reverse(url_name, kwargs={"slug": slug} if slug else None)
    except NoReverseMatch:
        return None


def _active(request: HttpRequest, entries: Iterable[Entry]) -> Entry | None:
    """The entry that names the page most exactly."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return None
    best = max(entries, key=lambda entry: _closeness(entry, match.view_name), default=None)
    return best if best and _closeness(best, match.view_name) else None


def _closeness(entry: Entry, view_name: str) -> int:
    if view_name == entry.url_name:
        return 1000
    namespace, colon, _ = entry.url_name.rpartition(":")
    prefixes = entry.match or ((namespace + colon,) if namespace else ())
    return max((len(prefix) for prefix in prefixes if view_name.startswith(prefix)), default=0)


def _item(entry: Entry, url: str, active: bool) -> Item:
    return Item(entry.key, entry.label, entry.icon, url, entry.group, entry.shortcut, active)
