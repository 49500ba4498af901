"""The list of environments, the page of one, and the log of its server."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from environments.loaders import load_environment
from environments.models import Environment, ManagedServer, Promotion
from environments.presentation import replicas, timeline
from environments.rights import may_modify, scope_of
from environments.services.arrivals import NOTHING, Arrivals, arrivals, arrivals_of
from environments.services.overview import Overview, overview_among, overviews, replicas_of
from environments.services.server_logs import pieces_of, read_server_log, search_server_log
from environments.services.transitions import last_that_ran
from models_app.loaders import load_assistant
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope
from studio.web.htmx import HtmxHttpRequest
from studio.web.keyset import Page, page_of

HISTORY = 15


@dataclass(frozen=True, slots=True)
class Row:
    overview: Overview
    arrivals: Arrivals
    may_modify: bool


@require_safe
def environment_list(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    _require_environments(user, assistant)
    found = overviews(assistant, user)
    seen = arrivals([row.environment for row in found])
    context = {
        "rows": [Row(row, seen.get(row.environment.pk, NOTHING), may_modify(user, row.environment)) for row in found],
        "live": sum(1 for row in found if row.model is not None),
        "is_moving": any(row.is_moving for row in found),
        "may_add": user.may(Permission.ENVIRONMENTS_MODIFY, Scope(assistant.pk)),
        "may_see_intake": user.may(Permission.ENVIRONMENTS_VIEW, Scope(assistant.pk)),
        "may_manage_people": user.may(Permission.PEOPLE_MODIFY),
        "may_read_audit": user.may_somewhere(Permission.AUDIT_VIEW),
    }
    return render(request, f"environments/list.html{'#live' if request.htmx else ''}", context)


def _require_environments(user: User, assistant: Assistant) -> None:
    """Whoever may see one environment of the assistant gets the list, of those they may see."""
    if not user.may_somewhere(Permission.ENVIRONMENTS_VIEW, assistant.pk):
        raise MissingPermission(Permission.ENVIRONMENTS_VIEW)


@require_safe
def environment_detail(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """The page; for htmx only what changes by itself."""
    environment = load_environment(request, slug, name)
    page = page_of(timeline.for_history(environment.promotions.all()), request, HISTORY)
    context = {**_state(environment, page), **_rights(request, environment)}
    return render(request, f"environments/detail.html{'#live' if request.htmx else ''}", context)


def _state(environment: Environment, page: Page[Promotion]) -> dict[str, object]:
    rows = replicas_of(environment)
    is_first = page.newer is None and page.rows
    now = overview_among(environment, rows, page.rows[0] if is_first else None)
    server, listed = _server(environment), replicas.rows(rows, now.model)
    return {
        "environment": environment,
        "overview": now,
        "steps": timeline.steps(now),
        "replicas": listed,
        "goes_on": any(row.status == "failed" for row in listed),  # one on which the model did not load
        "fell_silent": replicas.silent_of(now.failed_on, listed),
        "arrivals": arrivals_of(environment),
        "back_to": last_that_ran(environment, page.rows if is_first else ()),
        "server": server,
        "has_controller": server is None or not server.is_silent or environment.controller_lives,  # type: ignore[attr-defined]
        "page": page,
        "history": timeline.entries(page.rows, [now]),
    }


def _server(environment: Environment) -> ManagedServer | None:
    if environment.kind != Environment.Kind.MANAGED:
        return None
    return getattr(environment, "server", None)


def _rights(request: HttpRequest, environment: Environment) -> dict[str, bool]:
    user = signed_in(request)
    return {
        "may_modify": may_modify(user, environment),
        "may_read": user.may(Permission.CONVERSATIONS_VIEW, scope_of(environment)),
        "may_talk": user.may(Permission.TALK, scope_of(environment)),
        "may_manage_people": user.may(Permission.PEOPLE_MODIFY),
        "may_read_audit": user.may_somewhere(Permission.AUDIT_VIEW),
    }


@require_safe
def server_log(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """The log holds what people said, so it asks for the right to read that; htmx gets what came after `?offset=`.

    `?q=` shows the lines that hold these words.
    """
    environment = load_environment(request, slug, name, Permission.CONVERSATIONS_VIEW)
    if words := request.GET.get("q", "").strip()[:200]:
        found = search_server_log(environment, words)
        return render(request, "environments/log.html", {"environment": environment, "found": found})
    context = {"environment": environment, "chunk": read_server_log(environment, _offset(request))}
    return render(request, f"environments/log.html{'#more' if request.htmx else ''}", context)


@require_safe
def server_log_file(request: HttpRequest, slug: str, name: str) -> StreamingHttpResponse:
    """All of the log as a file."""
    environment = load_environment(request, slug, name, Permission.CONVERSATIONS_VIEW)
    headers = {"Content-Disposition": f'attachment; filename="{slug}-{name}.log"'}
    return StreamingHttpResponse(pieces_of(environment), content_type="text/plain; charset=utf-8", headers=headers)


def _offset(request: HttpRequest) -> int | None:
    text = request.GET.get("offset", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
