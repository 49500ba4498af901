"""Numbers about conversations, as a page and as files."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from conversations.analytics import files, page
from conversations.analytics.filters import AnalyticsFilter
from conversations.analytics.marks import promotions
from conversations.analytics.metrics import METRICS
from conversations.analytics.numbers import DIMENSIONS, names, series
from conversations.analytics.parts import named_parts
from conversations.loaders import load_analytics
from conversations.services.tallies import progress
from environments.models import Environment
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission

NAMES_SHOWN = 10


@require_safe
def analytics(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_analytics(request, slug)
    viewer = signed_in(request)
    filters = AnalyticsFilter(request.GET, assistant=assistant, viewer=viewer)
    context: dict[str, Any] = {"filters": filters, "waiting": progress(assistant)}
    if not filters.is_valid():
        return render(request, "conversations/analytics.html", context, status=422)
    context |= _numbers(filters, viewer)
    return render(request, "conversations/analytics.html", context)


@require_safe
def numbers_file(request: HttpRequest, slug: str, what: str) -> HttpResponse:
    """The numbers of the page as CSV: of its points, of its parts, or of intents and actions."""
    assistant = load_analytics(request, slug)
    filters = AnalyticsFilter(request.GET, assistant=assistant, viewer=signed_in(request))
    if what not in files.FILES:
        raise Http404("There is no such file of numbers.")
    if not filters.is_valid():
        said = "\n".join(f"{name}: {error}" for name, errors in filters.errors.items() for error in errors)
        return HttpResponse(said, status=422, content_type="text/plain; charset=utf-8")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{assistant.slug}-{what}.csv"'
    files.FILES[what](response, filters, filters.period(timezone.now()))
    return response


def _numbers(filters: AnalyticsFilter, viewer: User) -> dict[str, Any]:
    assistant, narrowed, period = filters.assistant, filters.narrowed(), filters.period(timezone.now())
    links = page.Links(_list_address(assistant, viewer), filters.list_query(), period.zone)
    found = series(narrowed, period, filters.chosen_by)
    marks = promotions(assistant, _marked(filters, viewer), period)
    most = names(narrowed, period, NAMES_SHOWN)
    return {
        "period": period,
        "series": found,
        "marks": marks,
        "stats": page.stats(found),
        "charts": page.charts(found, period, links, marks),
        "intents": page.bars(most, "intent", period, links),
        "actions": page.bars(most, "action", period, links),
        "parts": page.parts(named_parts(assistant, filters.chosen_by, found.parts), period, links),
        "metrics": METRICS,
        "dimensions": DIMENSIONS,
        "by": filters.chosen_by,
        "files": [
            ("numbers", f"By {period.unit}"),
            ("parts", f"By {filters.chosen_by}"),
            ("names", "Intents and actions"),
        ],
    }


def _list_address(assistant: Assistant, viewer: User) -> str:
    may_read = viewer.may_somewhere(Permission.CONVERSATIONS_VIEW, assistant.pk)
    return reverse("conversations:list", args=[assistant.slug]) if may_read else ""


def _marked(filters: AnalyticsFilter, viewer: User) -> list[Environment]:
    """Environments whose promotions the viewer may see, of those that are counted."""
    chosen = filters.cleaned_data["environment"]
    seen = set(Environment.objects.visible_to(viewer).filter(assistant=filters.assistant).values_list("pk", flat=True))
    return [one for one in filters.environments if one.pk in seen and chosen in ("", one.name)]
