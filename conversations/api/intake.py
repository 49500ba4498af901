"""How events come in: sources, trying a Kafka, going on after trouble, and names of environments nobody knows."""

import re
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from conversations.api.forms import checked
from conversations.forms.intake import NEW, AdoptForm, SourceForm
from conversations.ingest.kafka_check import Checked, check
from conversations.ingest.kafka_settings import SECRETS, settings_of
from conversations.loaders import assistants_to_bind, heirs, load_intake, load_kafka, load_source
from conversations.models import IntakeIncident, IntakeSource
from conversations.services import adoption, intake
from conversations.services.adoption import Unknown, unknown_environments
from conversations.services.freshness import Freshness, freshness, freshness_of, sources_of
from environments.models import Environment
from models_app.models import Assistant
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import Invalid
from studio.web.api import repeats
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, cut, page

router = Router(tags=["intake"])

_PARTS = re.compile(r"[\s,]")
CONNECTION = (
    "servers", "topics", "group", "security_protocol", "sasl_mechanism", "sasl_username", "ssl_ca", "ssl_certificate",
    "ssl_check_hostname",
)  # fmt: skip


class SourceIn(Body):
    """A Kafka cluster as Rasa's own broker names it. Of a source that is there, what is left out stays, and so does an
    empty `sasl_password` or `ssl_key`. `environment` is where events belong that name none."""

    name: str = ""
    servers: list[str] = []
    topics: list[str] = ["rasa_core_events"]
    group: str = ""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_ca: str = Field("", description="PEM, as the next two")
    ssl_certificate: str = ""
    ssl_key: str = ""
    ssl_check_hostname: bool = True
    environment: str | None = None
    other_assistants: list[str] = []


class SourceChange(SourceIn):
    is_on: bool = True


class SourceOut(Schema):
    """`status` is running, busy, silent, warning or failed; `why` and `mend` say more. `settings` are a Kafka's without
    its secrets, else null."""

    number: int
    name: str
    kind: str
    status: str
    word: str
    why: str
    mend: str
    is_on: bool
    environment: str | None
    other_assistants: list[str]
    settings: dict[str, object] | None
    events: int
    known_events: int
    waiting_records: int
    open_incidents: int
    alarm: str
    newest_event_time: float | None
    last_stored_at: float | None


class IncidentOut(Schema):
    """Records that were gone before they were taken. Events are missing between `since` and `until` (null: unknown)."""

    number: int
    kind: str
    topic: str
    partition: int
    records: int
    since: float | None
    until: float | None
    found_at: float
    closed_at: float | None
    closed_by: str | None
    note: str


class TopicOut(Schema):
    name: str
    partitions: int
    records: int
    problem: str


class CheckedOut(Schema):
    """`problem` is why nothing can be taken; empty when events can come."""

    problem: str
    warnings: list[str]
    topics: list[TopicOut]


class GoOn(Body):
    """`keep`: records that cannot be read become dead letters. Otherwise they are tried again."""

    keep: bool = False


class Closing(Body):
    note: str = Field(min_length=1, max_length=1000, pattern=r"\S")


class UnknownOut(Schema):
    """A name that no environment has; empty for events that name none. `conversations` are counted up to 10,000.
    `environment` is who took the name over, when what came before is still on its way there."""

    name: str
    records: int
    conversations: int
    first_at: float | None
    last_at: float | None
    environment: str
    is_moving: bool


class Adopting(Body):
    """Who takes the name over; without `environment` a new one of that name."""

    name: str = Field(max_length=255)
    environment: str | None = None


class AdoptedOut(Schema):
    """`conversations`: how many moved at once; the rest follows over some minutes."""

    environment: str
    conversations: int


@router.get(
    "/projects/{slug}/intake/sources", summary="Sources of events", url_name="sources", response=list[SourceOut]
)
def sources(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """With how fresh what each brought is."""
    found = freshness(sources_of(load_intake(request, slug)))
    return [_facts(request, one) for one in cut(request, response, found, paging)]


@router.post(
    "/projects/{slug}/intake/sources", summary="Add a Kafka source", url_name="sources", response={201: SourceOut}
)
def add(request: HttpRequest, response: HttpResponse, slug: Path[str], body: SourceIn) -> Status[dict[str, Any]]:
    assistant = load_intake(request, slug, to_change=True)
    wanted = {**body.dict(), "group": body.group or f"parley-{assistant.slug}"}
    form = _form(request, assistant, wanted)
    checked(form)
    source = intake.add_source(actor=signed_in(request), assistant=assistant, wishes=form.wishes)
    response["Location"] = f"/api/projects/{slug}/intake/sources/{source.pk}"
    return Status(201, _facts(request, freshness_of(source)))


@router.post(
    "/projects/{slug}/intake/sources/test",
    summary="Try a connection before it is added",
    url_name="source-try-new",
    response=CheckedOut,
    openapi_extra=repeats.NONE,
)
def try_new(request: HttpRequest, slug: Path[str], body: SourceIn) -> dict[str, Any]:
    """Nothing joins the group, and nothing is taken."""
    assistant = load_intake(request, slug, to_change=True)
    wanted = {**body.dict(), "group": body.group or f"parley-{assistant.slug}", "name": body.name or "test"}
    form = _form(request, assistant, wanted)
    checked(form)
    return _checked(check(form.settings))


@router.get("/projects/{slug}/intake/sources/{number}", summary="One source", url_name="source", response=SourceOut)
def source(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    return _facts(request, freshness_of(load_source(request, slug, number)))


@router.put(
    "/projects/{slug}/intake/sources/{number}",
    summary="Change a Kafka source, or switch it",
    url_name="source",
    response=SourceOut,
)
def change(request: HttpRequest, slug: Path[str], number: Path[int], body: SourceChange) -> dict[str, Any]:
    """It connects anew. What is left out stays."""
    row, actor = load_kafka(request, slug, number), signed_in(request)
    given = body.dict(exclude_unset=True)
    is_on = given.pop("is_on", None)
    with transaction.atomic():
        if given:
            form = _form(request, row.assistant, {**_settings(request, row), **given}, row)
            checked(form)
            intake.change_source(actor=actor, source=row, wishes=form.wishes, among=form.others.all())
        if is_on is not None:
            intake.switch_source(actor=actor, source=row, is_on=is_on)
    return _facts(request, freshness_of(load_source(request, slug, number)))


@router.delete(
    "/projects/{slug}/intake/sources/{number}",
    summary="Remove a Kafka source",
    url_name="source",
    response={204: None},
)
def remove(request: HttpRequest, slug: Path[str], number: Path[int]) -> Status[None]:
    """Nothing is taken from it any more; the conversations that it brought stay."""
    intake.remove_source(actor=signed_in(request), source=load_kafka(request, slug, number))
    return Status(204, None)


@router.post(
    "/projects/{slug}/intake/sources/{number}/test",
    summary="Try a source's connection",
    url_name="source-try",
    response=CheckedOut,
    openapi_extra=repeats.NONE,
)
def try_saved(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, Any]:
    """As it is saved."""
    return _checked(check(settings_of(load_kafka(request, slug, number))))


@router.post(
    "/projects/{slug}/intake/sources/{number}/go-on",
    summary="Go on after an alarm",
    url_name="source-go-on",
    response=SourceOut,
)
def go_on(request: HttpRequest, slug: Path[str], number: Path[int], body: GoOn) -> dict[str, Any]:
    """After too many records that could not be read: they are tried again, or kept as dead letters."""
    row = load_source(request, slug, number, to_change=True)
    intake.clear_alarm(actor=signed_in(request), source=row, accept_invalid=body.keep)
    return _facts(request, freshness_of(load_source(request, slug, number)))


@router.get(
    "/projects/{slug}/intake/sources/{number}/incidents",
    summary="What a source lost",
    url_name="source-incidents",
    response=list[IncidentOut],
)
def incidents(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """The newest first."""
    rows = load_source(request, slug, number).incidents.select_related("closed_by")
    return [_incident(one) for one in page(request, response, rows, paging)]


@router.post(
    "/projects/{slug}/intake/sources/{number}/incidents/{incident}/close",
    summary="Close an incident",
    url_name="source-incident-close",
    response=IncidentOut,
)
def close(
    request: HttpRequest, slug: Path[str], number: Path[int], incident: Path[int], body: Closing
) -> dict[str, Any]:
    """With what was done about it."""
    rows = load_source(request, slug, number, to_change=True).incidents.select_related("source", "closed_by")
    row = rows.filter(pk=incident).first()
    if row is None:
        raise Http404("There is no such incident of this source.")
    intake.close_incident(actor=signed_in(request), incident=row, note=body.note.strip())
    return _incident(rows.get(pk=incident))


# --- Names that nobody has ------------------------------------------------------------------------------------------


@router.get(
    "/projects/{slug}/intake/unknown",
    summary="Names of environments that nobody has",
    url_name="unknown-environments",
    response=list[UnknownOut],
)
def unknown(
    request: HttpRequest, response: HttpResponse, slug: Path[str], paging: Query[Paging]
) -> list[dict[str, Any]]:
    """Events came under them; the latest first."""
    found = unknown_environments(load_intake(request, slug))
    return [_unknown(one) for one in cut(request, response, found, paging)]


@router.post(
    "/projects/{slug}/intake/unknown",
    summary="Have an environment take a name over",
    url_name="unknown-environments",
    response=AdoptedOut,
)
def adopt(request: HttpRequest, slug: Path[str], body: Adopting) -> dict[str, Any]:
    """What came under the name moves there; what comes from now on belongs there at once."""
    assistant, user = load_intake(request, slug, to_change=True), signed_in(request)
    may_add = user.may(Permission.ENVIRONMENTS_MODIFY, Scope(assistant.pk))
    found = heirs(user, assistant)
    named = next((str(one.pk) for one in found if one.name == body.environment), "none")
    choice = NEW if body.environment is None else named
    checked(AdoptForm({"environment": choice}, name=body.name, environments=found, may_add=may_add))
    if choice == NEW:
        require(user, Permission.ENVIRONMENTS_MODIFY, Scope(assistant.pk))
        heir, moved = adoption.adopt_as_new(actor=user, assistant=assistant, name=body.name)
    else:
        heir = found.get(pk=choice)
        moved = adoption.adopt_environment(actor=user, assistant=assistant, name=body.name, environment=heir)
    return {"environment": heir.name, "conversations": moved}


# --- Facts ------------------------------------------------------------------------------------------------------------


def _form(
    request: HttpRequest, assistant: Assistant, wanted: dict[str, Any], row: IntakeSource | None = None
) -> SourceForm:
    """The page's own form, which says what is wrong."""
    environments = Environment.objects.current().filter(assistant=assistant)
    others = assistants_to_bind(signed_in(request), assistant)
    for name in ("servers", "topics"):
        if odd := [one for one in wanted[name] if _PARTS.search(one)]:
            raise Invalid(f"{name} is a list: “{odd[0][:100]}” is more than one.", field=name)
    data = {**wanted, "servers": "\n".join(wanted["servers"]), "topics": ",".join(wanted["topics"])}
    if wanted["environment"] is not None:
        named = environments.filter(name=wanted["environment"].replace("\0", "")).first()
        data["environment"] = str(named.pk) if named else "none"
    known = dict(others.values_list("slug", "pk"))
    bound = set(_bound(request, row)) if row else set()
    strangers = [one for one in wanted["other_assistants"] if one not in known and one not in bound]
    if strangers:
        raise Invalid(f"There is no assistant {strangers[0][:100]} that you may bind here.", field="other_assistants")
    data["other_assistants"] = [str(known[one]) for one in wanted["other_assistants"] if one in known]
    if row is None:
        return SourceForm(data, environments=environments, others=others, initial={})
    return SourceForm.of(row, settings_of(row), data, environments=environments, others=others)


def _settings(request: HttpRequest, row: IntakeSource) -> dict[str, Any]:
    """What a change begins with; secrets stay out, which keeps them."""
    return {
        **{name: row.settings.get(name, "") for name in CONNECTION},
        **dict.fromkeys(SECRETS, ""),
        "name": row.name,
        "environment": row.environment.name if row.environment else None,
        "other_assistants": _bound(request, row),
    }


def _bound(request: HttpRequest, row: IntakeSource) -> list[str]:
    """Whose events come with it beside the assistant's own, as far as one may know of them; others stay bound."""
    seen = Assistant.objects.visible_to(signed_in(request))
    return list(row.other_assistants.filter(pk__in=seen).order_by("slug").values_list("slug", flat=True))


def _facts(request: HttpRequest, now: Freshness) -> dict[str, Any]:
    row = now.source
    is_kafka = row.kind == IntakeSource.Kind.KAFKA and bool(row.settings)
    return {
        "number": row.pk,
        "name": row.name,
        "kind": row.kind,
        "status": now.status,
        "word": now.word,
        "why": now.why,
        "mend": now.mend,
        "is_on": row.is_on,
        "environment": row.environment.name if row.environment else None,
        "other_assistants": _bound(request, row),
        "settings": {name: row.settings[name] for name in CONNECTION if name in row.settings} if is_kafka else None,
        "events": row.events_total,
        "known_events": row.known_total,
        "waiting_records": now.lag,
        "open_incidents": now.incidents,
        "alarm": row.alarm,
        "newest_event_time": row.newest_event_at,
        "last_stored_at": row.last_event_at.timestamp() if row.last_event_at else None,
    }


def _incident(row: IntakeIncident) -> dict[str, Any]:
    return {
        "number": row.pk,
        "kind": row.kind,
        "topic": row.topic,
        "partition": row.partition,
        "records": row.count,
        "since": row.since,
        "until": row.until,
        "found_at": row.found_at.timestamp(),
        "closed_at": row.closed_at.timestamp() if row.closed_at else None,
        "closed_by": row.closed_by.username if row.closed_by else None,
        "note": row.note,
    }


def _checked(found: Checked) -> dict[str, Any]:
    topics = [
        {"name": one.name, "partitions": one.partitions, "records": one.records, "problem": one.problem}
        for one in found.topics
    ]
    return {"problem": found.problem, "warnings": list(found.warnings), "topics": topics}


def _unknown(one: Unknown) -> dict[str, Any]:
    return {
        "name": one.name,
        "records": one.records,
        "conversations": one.counted,
        "first_at": one.first_at.timestamp() if one.first_at else None,
        "last_at": one.last_at.timestamp() if one.last_at else None,
        "environment": one.heir,
        "is_moving": one.is_moving,
    }
