"""Where an assistant's events come from: the list of sources, the page of one, and trying a Kafka's settings."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from conversations.forms.intake import SourceForm
from conversations.ingest.kafka_check import Checked, check
from conversations.ingest.kafka_settings import KafkaSettings, settings_of
from conversations.loaders import assistants_to_bind, load_intake, load_source
from conversations.models import DeadLetter, IntakeIncident, IntakeSource, IntakeStream
from conversations.services.adoption import unknown_environments
from conversations.services.freshness import freshness, freshness_of, sources_of
from conversations.services.intake import with_kept_secrets
from conversations.services.streams import Streams
from environments.models import Environment
from environments.rights import may_modify
from models_app.models import Assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import Invalid
from studio.web.htmx import HtmxHttpRequest


@dataclass(frozen=True, slots=True)
class StreamRow:
    """What one name brought, and the environment that it belongs to now."""

    stream: IntakeStream
    environment: str

    @property
    def newest_at(self) -> datetime:
        return datetime.fromtimestamp(self.stream.newest_event_at, UTC)


@dataclass(frozen=True, slots=True)
class IncidentRow:
    incident: IntakeIncident

    @property
    def since(self) -> datetime | None:
        return None if self.incident.since is None else datetime.fromtimestamp(self.incident.since, UTC)

    @property
    def until(self) -> datetime | None:
        return None if self.incident.until is None else datetime.fromtimestamp(self.incident.until, UTC)


@require_safe
def intake(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    assistant = load_intake(request, slug)
    streams = Streams.of([assistant.pk])
    rows = freshness(sources_of(assistant), streams)
    context = {
        "rows": rows,
        "unknown": unknown_environments(assistant, streams),
        "is_moving": any(row.status == "busy" for row in rows),
        "events": sum(row.source.events_total for row in rows),
        "may_modify": may_change(signed_in(request), assistant),
    }
    return render(request, f"conversations/intake.html{'#live' if request.htmx else ''}", context)


@require_safe
def unknown(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """For the environments' list, which belongs to an app below: names that events came under and nobody has."""
    assistant = load_intake(request, slug)
    context = {
        "unknown": unknown_environments(assistant),
        "may_modify": may_change(signed_in(request), assistant),
    }
    return render(request, "conversations/_intake_unknown.html", context)


@require_safe
def stale(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """For the home page: the sources that somebody should look at."""
    assistant = load_intake(request, slug)
    rows = [one for one in freshness(sources_of(assistant)) if not one.is_well]
    return render(request, "conversations/_intake_stale.html", {"rows": rows})


@require_safe
def source_page(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    source = load_source(request, slug, pk)
    streams = Streams.of(source.bound)
    context = {
        "source": source,
        "now": freshness_of(source, streams),
        "settings": _shown(source),
        "streams": _streams(source, streams, signed_in(request)),
        "incidents": [IncidentRow(one) for one in source.incidents.select_related("closed_by")[:50]],
        "dead": DeadLetter.objects.filter(source=source, state=DeadLetter.State.WAITING).count(),
        "may_modify": may_change(signed_in(request), source.assistant),
        "repairable": _repairable(source, signed_in(request)),
    }
    return render(request, f"conversations/intake_source.html{'#live' if request.htmx else ''}", context)


def _repairable(source: IntakeSource, viewer: User) -> list[Environment]:
    """Whose servers may still hold what an incident says is gone, and whom the viewer may have it brought in for."""
    rows = Environment.objects.current().filter(assistant=source.assistant).exclude(kind=Environment.Kind.UNSET)
    return [one for one in rows.select_related("assistant") if may_modify(viewer, one)]


def may_change(user: User, assistant: Assistant) -> bool:
    return user.may(Permission.ASSISTANTS_MODIFY, Scope(assistant.pk))


def _shown(source: IntakeSource) -> KafkaSettings | None:
    """Without its secrets, so that no template can show one."""
    if source.kind != IntakeSource.Kind.KAFKA or not source.settings:
        return None
    settings = settings_of(source)
    return replace(settings, sasl_password="set" if settings.sasl_password else "", ssl_key="")


def _streams(source: IntakeSource, streams: Streams, viewer: User) -> list[StreamRow]:
    """Of a cluster that several assistants share, only those whose environments the viewer may see."""
    fallback = source.environment.name if source.environment and source.kind == IntakeSource.Kind.SQL else ""
    mine = [one for one in streams.rows if one.source_id == source.pk]
    seen = [one for one in mine if viewer.may(Permission.ENVIRONMENTS_VIEW, Scope(one.assistant_id))]
    newest_first = sorted(seen, key=lambda one: one.last_at, reverse=True)
    return [StreamRow(one, place.name if (place := streams.place_of(one)) else fallback) for one in newest_first]


# --- Trying settings --------------------------------------------------------------------------------------------------


@require_POST
def try_new(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """The connection that the form of a new source describes."""
    assistant = load_intake(request, slug, to_change=True)
    return _tried(request, assistant, source_form(request, assistant), None)


@require_POST
def try_saved(request: HtmxHttpRequest, slug: str, pk: int) -> HttpResponse:
    """The connection as it is saved, or as its form describes it now."""
    source = load_source(request, slug, pk, to_change=True)
    if source.kind != IntakeSource.Kind.KAFKA:
        return _answer(request, Checked(problem="There is nothing to connect to: its table is in our own database."))
    if "servers" not in request.POST:
        return _answer(request, check(settings_of(source)))
    return _tried(request, source.assistant, source_form(request, source.assistant, source), source)


def _tried(
    request: HtmxHttpRequest, assistant: Assistant, form: SourceForm, source: IntakeSource | None
) -> HttpResponse:
    if not form.is_valid():
        problems = [f"{form.fields[name].label or name}: {errors[0]}" for name, errors in form.errors.items()]
        return _answer(request, Checked(problem=" ".join(problems)))
    try:
        settings = with_kept_secrets(source, form.settings) if source else form.settings
    except Invalid as error:
        return _answer(request, Checked(problem=error.message))
    return _answer(request, check(settings))


def _answer(request: HtmxHttpRequest, checked: Checked) -> HttpResponse:
    name = "conversations/_intake_checked.html" if request.htmx else "conversations/intake_checked.html"
    return render(request, name, {"checked": checked})


def source_form(request: HttpRequest, assistant: Assistant, source: IntakeSource | None = None) -> SourceForm:
    """For a new source of the assistant, or for one that is there."""
    data = request.POST if request.method == "POST" else None
    environments = Environment.objects.current().filter(assistant=assistant)
    others = assistants_to_bind(signed_in(request), assistant)
    if source is not None:
        return SourceForm.of(source, settings_of(source), data, environments=environments, others=others)
    initial = {"group": f"parley-{assistant.slug}"}
    return SourceForm(data, environments=environments, others=others, initial=initial)
