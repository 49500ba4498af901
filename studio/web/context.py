"""What base.html needs on every page."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from studio.access.oidc import keycloak
from studio.access.services import sessions
from studio.web import navigation
from studio.web.navigation import Assistant, Viewer

_LAST = "last_assistant"


class Shell:
    """The frame around a page. A fragment has none, so that nothing of it is worked out before a template asks."""

    def __init__(self, request: HttpRequest, viewer: Viewer, page_assistant: Assistant | None) -> None:
        self._request, self._viewer, self._page_assistant = request, viewer, page_assistant

    @cached_property
    def _choices(self) -> Sequence[Assistant]:
        return navigation.assistants(self._request)

    @cached_property
    def assistant(self) -> Assistant | None:
        """Whose pages the navigation leads to; not only that of the page."""
        return self._page_assistant or _last_seen(self._request, self._choices)

    @cached_property
    def home(self) -> str:
        return navigation.home(self._request, self._viewer, self.assistant) if self.assistant else "/"

    @cached_property
    def switcher(self) -> list[navigation.Choice]:
        return navigation.switcher(self._request, self._viewer, self._choices, self.assistant)

    @property
    def assistants_url(self) -> str | None:
        return navigation.assistants_url()

    @cached_property
    def _items(self) -> list[navigation.Item]:
        return navigation.items(self._request, self._viewer, self.assistant)

    @property
    def nav(self) -> list[navigation.Item]:
        return [item for item in self._items if item.group == "main"]

    @property
    def settings_nav(self) -> list[navigation.Item]:
        return [item for item in self._items if item.group == "settings"]

    @property
    def section(self) -> str:
        """Where one is, in a word."""
        title = self._page_assistant.title if self._page_assistant else ""
        return next((item.label for item in self._items if item.active), title)


def shell(request: HttpRequest) -> dict[str, Any]:
    """`assistant` (the page's, or None), `shell`, and `account_console` (Keycloak's page of the person, or empty).

    Error pages are rendered outside the middleware too, so neither a user nor a session is taken for granted.
    """
    viewer = getattr(request, "user", None)
    page_assistant: Assistant | None = getattr(request, "assistant", None)
    if viewer is None or not viewer.is_authenticated:
        return {"assistant": page_assistant}
    _remember(request, page_assistant)
    return {
        "account_console": keycloak.account_console(request.session.get(sessions.ISSUER, "")),
        "assistant": page_assistant,
        "shell": Shell(request, viewer, page_assistant),
    }


def last_assistant_slug(request: HttpRequest) -> str:
    """The slug of the assistant whose pages this person looked at last, or an empty string."""
    return str(request.session.get(_LAST, ""))


def _last_seen(request: HttpRequest, assistants: Sequence[Assistant]) -> Assistant | None:
    """The assistant a page without one (settings, home) keeps in the navigation."""
    last = last_assistant_slug(request)
    return next((one for one in assistants if one.slug == last), assistants[0] if assistants else None)


def _remember(request: HttpRequest, assistant: Assistant | None) -> None:
    # Here rather than in a middleware: only pages that people look at count, not API calls or fragments of another.
    if assistant is not None and request.session.get(_LAST) != assistant.slug:
        request.session[_LAST] = assistant.slug
