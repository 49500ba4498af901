"""Slots: any model, tried without an environment."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from environments.api.facts import epoch
from environments.loaders import load_slot, visible_slots
from environments.models import Slot
from environments.presentation.slots import state_of
from environments.services import slots, trying
from environments.services.environments import checked_action_server
from environments.services.speakers import stop_slot_of
from environments.services.trying import MOST_MINUTES
from models_app.loaders import load_assistant, load_model
from models_app.models import Assistant, Model
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["slots"])
TRY = "/projects/{slug}/models/{model}/try"
SETTINGS = "/projects/{slug}/settings/trying"
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
State = Slot.State


class SlotOut(Schema):
    """`state` is `waiting`, `starting`, `running`, `stopping`, `ended` or `failed`; `place` its place in line while it
    waits, `message` why it is as it is. `automatic`: a training ended, and nobody asked. Memory is in bytes."""

    id: int
    project: str
    model: str
    state: str
    step: str
    message: str
    place: int | None
    automatic: bool
    requested_by: str
    rasa_version: str | None
    memory: int | None
    peak_memory: int | None
    requested_at: float
    started_at: float | None
    ready_at: float | None
    used_at: float | None
    ended_at: float | None


class SlotDetail(SlotOut):
    """`log` is the end of what it wrote, null without the right to read conversations, which it can hold."""

    log: str | None


class TryOut(SlotOut):
    """`percent` of a start, by how long starts took before; `workers` is how many slots can run at once."""

    percent: int | None
    usual_seconds: int | None
    workers: int


class SlotsWanted(Paging):
    project: str = Field("", description="Of this assistant alone.")


class TryingSettings(Body):
    """`idle_minutes` null: as the installation says. `action_server_url` empty: slots have none."""

    start_after_training: bool
    idle_minutes: int | None = Field(None, ge=1, le=MOST_MINUTES)
    action_server_url: str = Field("", max_length=500)


# --- The slot of one model --------------------------------------------------------------------------------------------


@router.post(TRY, summary="Try a model", url_name="try", response={202: TryOut})
def try_model(
    request: HttpRequest, response: HttpResponse, slug: Path[str], model: Path[str]
) -> Status[dict[str, object]]:
    """The slot that serves it, or a new one in line. GET tells when it is `running`: talk to it then."""
    row = load_model(request, slug, model, Permission.TALK)
    slot = slots.ask(actor=signed_in(request), model=row)
    response["Location"] = f"/api/projects/{slug}/models/{model}/try"
    return Status(202, _of_model(slot, row))


@router.get(TRY, summary="How the slot of a model is", url_name="try", response=TryOut | None)
def model_slot(request: HttpRequest, slug: Path[str], model: Path[str]) -> dict[str, object] | None:
    """The newest one, also when it has ended; null when the model was never tried."""
    row = load_model(request, slug, model, Permission.TALK)
    slot = slots.last_of(row.pk)
    return _of_model(slot, row) if slot is not None else None


@router.delete(TRY, summary="Stop the slot of a model", url_name="try", response={204: None})
def stop_trying(request: HttpRequest, slug: Path[str], model: Path[str]) -> Status[None]:
    """403 while others talk to it, unless one may modify environments. Nothing happens when none runs."""
    row = load_model(request, slug, model, Permission.TALK)
    stop_slot_of(actor=signed_in(request), model=row)
    return Status(204, None)


def _of_model(slot: Slot, model: Model) -> dict[str, object]:
    state = state_of(slot, model)
    return {
        **_facts(slot, model, model.assistant, state.place),
        "percent": state.percent,
        "usual_seconds": state.usual_seconds,
        "workers": state.workers,
    }


# --- All of them ------------------------------------------------------------------------------------------------------


@router.get("/slots", summary="Slots", url_name="slots", response=list[SlotOut])
def all_slots(request: HttpRequest, response: HttpResponse, wanted: Query[SlotsWanted]) -> list[dict[str, object]]:
    """Of assistants whose environments one may modify, newest first; ended ones for a month."""
    rows = visible_slots(signed_in(request))
    if wanted.project:
        rows = rows.filter(environment__assistant=load_assistant(request, wanted.project))
    return list(_listed(page(request, response, rows, wanted)))


@router.get("/slots/{slot}", summary="One slot", url_name="slot", response=SlotDetail)
def one_slot(request: HttpRequest, slot: Path[Number]) -> dict[str, object]:
    row = load_slot(request, slot)
    may_read = signed_in(request).may(Permission.CONVERSATIONS_VIEW, Scope(row.environment.assistant_id))
    (facts,) = _listed([row])
    return {**facts, "log": row.log if may_read else None}


@router.delete("/slots/{slot}", summary="Stop a slot", url_name="slot", response={204: None})
def stop_slot(request: HttpRequest, slot: Path[Number]) -> Status[None]:
    """409 when it has ended already."""
    row, person = load_slot(request, slot), signed_in(request)
    slots.stop(actor=person, slot=row, why=f"{person.username} stopped it.")
    return Status(204, None)


def _listed(rows: Sequence[Slot]) -> Iterable[dict[str, object]]:
    line: list[int] = []
    if any(row.state == State.WAITING for row in rows):
        line = list(slots.in_line().values_list("pk", flat=True))
    places = {pk: place for place, pk in enumerate(line, start=1)}
    for row in rows:
        yield _facts(row, row.model, row.environment.assistant, places.get(row.pk))


def _facts(row: Slot, model: Model, assistant: Assistant, place: int | None) -> dict[str, object]:
    return {
        "id": row.pk,
        "project": assistant.slug,
        "model": model.name,
        "state": row.state,
        "step": row.step,
        "message": row.message,
        "place": place,
        "automatic": row.is_automatic,
        "requested_by": row.requested_by_label,
        "rasa_version": row.rasa_version or None,
        "memory": row.memory,
        "peak_memory": row.peak_memory,
        "requested_at": row.requested_at.timestamp(),
        "started_at": epoch(row.started_at),
        "ready_at": epoch(row.ready_at),
        "used_at": epoch(row.used_at),
        "ended_at": epoch(row.ended_at),
    }


# --- How an assistant's models are tried ------------------------------------------------------------------------------


@router.get(SETTINGS, summary="How models are tried", url_name="trying-settings", response=TryingSettings)
def trying_settings(request: HttpRequest, slug: Path[str]) -> dict[str, object]:
    return _settings(load_assistant(request, slug, Permission.ASSISTANTS_MODIFY))


@router.put(SETTINGS, summary="Say how models are tried", url_name="trying-settings", response=TryingSettings)
def change_trying_settings(request: HttpRequest, slug: Path[str], body: TryingSettings) -> dict[str, object]:
    """All of it at once. A slot that runs already goes on as it was started."""
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    trying.change_settings(
        actor=signed_in(request),
        assistant=assistant,
        start_after_training=body.start_after_training,
        idle_minutes=body.idle_minutes,
        action_server_url=checked_action_server(body.action_server_url, resolve=True),
    )
    return _settings(assistant)


def _settings(assistant: Assistant) -> dict[str, object]:
    row = trying.settings_of(assistant)
    return {
        "start_after_training": row.start_after_training,
        "idle_minutes": row.idle_minutes,
        "action_server_url": trying.place_of(assistant).action_server_url,
    }
