"""What base.html needs on every page."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from studio.access.oidc import keycloak
from studio.access.services import sessions
from studio.web import navigation
from studio.web.navigation import Assistant

_LAST = "last_assistant"


def shell(request: HttpRequest) -> dict[str, Any]:
    """`assistant` (the page's, or None), `shell_assistant` (the navigation's), `nav`, `settings_nav`, `switcher`,
    `section` (where one is, in a word), and `account_console` (Keycloak's page of the person, or empty).

    Error pages are rendered outside the middleware too, so neither a user nor a session is taken for granted.
    """
    viewer = getattr(request, "user", None)
    page_assistant: Assistant | None = getattr(request, "assistant", None)
    if viewer is None or not viewer.is_authenticated:
        return {"assistant": page_assistant}
    choices = navigation.assistants(viewer)
    current = page_assistant or _last_seen(request, choices)
    _remember(request, page_assistant)
    items = navigation.items(request, viewer, current)
    return {
        "account_console": keycloak.account_console(request.session.get(sessions.ISSUER, "")),
        "assistant": page_assistant,
        "shell_assistant": current,
        "shell_home": navigation.home(request, viewer, current) if current else "/",
        "switcher": navigation.switcher(request, viewer, choices, current),
        "assistants_url": navigation.assistants_url(),
        "section": next((item.label for item in items if item.active), page_assistant.title if page_assistant else ""),
        "nav": [item for item in items if item.group == "main"],
        "settings_nav": [item for item in items if item.group == "settings"],
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
