"""The tables of this app on the operators' pages."""

from environments.models import (
    Environment,
    EnvironmentAlias,
    ManagedServer,
    Promotion,
    PromotionTransition,
    Replica,
    Slot,
    TryingSettings,
)
from studio.operators.site import show

show(
    Environment,
    ("pk", "assistant_id", "name", "kind", "url", "protected", "generation", "removed_at"),
    ("=pk", "=assistant__id", "name", "url"),
)
show(EnvironmentAlias, ("pk", "environment_id", "name", "last_used_at"), ("=pk", "=environment__id", "name"))
show(
    ManagedServer,
    ("pk", "environment_id", "wanted", "state", "port", "failures", "heartbeat_at"),
    ("=pk", "=environment__id"),
)
show(
    Replica,
    ("pk", "environment_id", "key", "runs_etag", "rasa_version", "interval", "last_seen_at"),
    ("=pk", "=environment__id", "key"),
)
show(
    Promotion,
    ("pk", "environment_id", "number", "from_model_id", "to_model_id", "actor_label", "requested_at"),
    ("=pk", "=environment__id", "actor_label"),
)
show(PromotionTransition, ("pk", "promotion_id", "state", "at"), ("=pk", "=promotion__id"))
show(
    Slot,
    ("pk", "environment_id", "model_id", "state", "attempt", "deaths", "worker", "port", "heartbeat_at"),
    ("=pk", "=environment__id", "=model__id", "worker"),
)
show(TryingSettings, ("assistant_id", "start_after_training", "idle_minutes"), ("=assistant__id",))
