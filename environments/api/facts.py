"""What the API says of environments, their servers, replicas and promotions: one shape wherever they appear."""

from datetime import datetime

from ninja import Schema

from environments.models import Environment, ManagedServer, Promotion
from environments.presentation.replicas import Row
from environments.services.overview import Overview
from environments.services.transitions import is_ended, state_of
from models_app.models import Model


class LiveModelOut(Schema):
    model: str
    hash: str
    trained_at: float | None
    version: str


class ServerOut(Schema):
    """A Rasa server that runs here. `wanted`: somebody started it, and nobody stopped it since."""

    wanted: bool
    state: str
    message: str
    rasa: str
    rasa_version: str
    failures: int
    started_at: float | None
    ready_at: float | None
    retry_at: float | None


class LastPromotion(Schema):
    number: int
    state: str
    requested_at: float


class EnvironmentOut(Schema):
    """`model` is the one that its tag points at, null while there is none. `kind` is `connected`, `managed` or `unset`;
    `url` and `has_token` are of a connected one. `status` is `running`, `busy`, `failed`, `warning` or `silent`, and
    `message` says it in words; of the `live` servers that poll, `running` run the model. `token` is never told."""

    name: str
    url: str
    token: str
    has_token: bool
    kind: str
    protected: bool
    action_server_url: str
    rasa_version: str | None
    model: LiveModelOut | None
    status: str
    message: str
    live: int
    running: int
    promotion: LastPromotion | None
    server: ServerOut | None
    created_at: float


class ReplicaFacts(Schema):
    """`status` is `running`, `busy`, `failed` or `silent`; `hash` is what it really runs, null before its first model;
    `named` ones alone can fail a promotion."""

    name: str
    named: bool
    status: str
    message: str
    model: str | None
    hash: str | None


class PromotionOut(Schema):
    """`state` is `switched`, `first-running`, `running`, `failed` or `superseded`; the last three are `ended`. `model`
    is null where the environment was taken out of service."""

    project: str
    environment: str
    number: int
    state: str
    ended: bool
    model: str | None
    hash: str | None
    from_model: str | None
    actor: str
    reason: str
    requested_at: float
    ended_at: float | None
    url: str


def epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def environment_facts(now: Overview) -> dict[str, object]:
    row = now.environment
    return {
        "name": row.name,
        "url": row.url,
        "token": "",
        "has_token": bool(bytes(row.server_token_encrypted)),
        "kind": row.kind,
        "protected": row.protected,
        "action_server_url": row.action_server_url,
        "rasa_version": row.server_version or None,
        "model": model_facts(now.model) if now.model else None,
        "status": now.status,
        "message": now.text,
        "live": now.live,
        "running": now.running,
        "promotion": _last(now.promotion) if now.promotion else None,
        "server": server_facts(row),
        "created_at": row.created_at.timestamp(),
    }


def model_facts(model: Model) -> dict[str, object]:
    return {
        "model": model.name,
        "hash": model.artifact_id,
        "trained_at": epoch(model.trained_at),
        "version": model.rasa_version,
    }


def _last(promotion: Promotion) -> dict[str, object]:
    return {
        "number": promotion.number,
        "state": state_of(promotion),
        "requested_at": promotion.requested_at.timestamp(),
    }


def server_facts(environment: Environment) -> dict[str, object] | None:
    server: ManagedServer | None = getattr(environment, "server", None)
    if environment.kind != Environment.Kind.MANAGED or server is None:
        return None
    return {
        "wanted": server.wanted,
        "state": server.state,
        "message": server.message,
        "rasa": server.rasa,
        "rasa_version": server.rasa_version,
        "failures": server.failures,
        "started_at": epoch(server.started_at),
        "ready_at": epoch(server.ready_at),
        "retry_at": epoch(server.retry_at),
    }


def replica_facts(row: Row) -> dict[str, object]:
    return {
        "name": row.replica.key,
        "named": row.replica.named,
        "status": row.status,
        "message": row.text,
        "model": row.replica.model.name if row.replica.model else None,
        "hash": row.replica.runs_etag or None,
    }


def promotion_facts(row: Promotion) -> dict[str, object]:
    """Of one with its transitions, environment, assistant and models read."""
    environment = row.environment
    last = max((transition.at for transition in row.transitions.all()), default=None)
    return {
        "project": environment.assistant.slug,
        "environment": environment.name,
        "number": row.number,
        "state": state_of(row),
        "ended": is_ended(row),
        "model": row.to_model.name if row.to_model else None,
        "hash": row.to_model.artifact_id if row.to_model else None,
        "from_model": row.from_model.name if row.from_model else None,
        "actor": row.actor_label,
        "reason": row.reason,
        "requested_at": row.requested_at.timestamp(),
        "ended_at": epoch(last) if is_ended(row) else None,
        "url": promotion_url(row),
    }


def promotion_url(row: Promotion) -> str:
    environment = row.environment
    return f"/api/projects/{environment.assistant.slug}/environments/{environment.name}/promotions/{row.number}"
