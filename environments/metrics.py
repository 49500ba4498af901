"""What `/metrics` tells of environments: polls as they are counted, and what the rows say at a scrape."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count, F, OuterRef, Subquery
from django.utils import timezone

from environments.models import Environment, ManagedServer, Promotion, PromotionTransition, Replica, Slot
from environments.services.polls import bring_up_to_date
from environments.services.replicas import is_live
from environments.services.transitions import state_of
from studio.jobs import heartbeat
from studio.metrics import counting, jobs, readings
from studio.metrics.jobs import Waiting
from studio.metrics.readings import Reading

PLACE = ("assistant", "environment")
POLL_OUTCOMES = {200: "model", 304: "unchanged", 204: "no_model", 404: "unknown", 503: "unavailable"}

_polls = counting.counter(
    "parley_model_polls_total",
    "Requests of Rasa servers for their model; without an environment where the token opened none.",
    (*PLACE, "outcome"),
)

REPLICAS = readings.family(
    "parley_replicas",
    "Rasa processes known by their polls: current (runs the promoted model), behind (lives, runs another), silent.",
    *PLACE,
    "state",
)
MODEL = readings.family("parley_environment_has_model", "1 when a model is promoted to the environment.", *PLACE)
PROMOTIONS = readings.family("parley_promotions_total", "Promotions that reached a state.", *PLACE, "state")
LAST_PROMOTION = readings.family(
    "parley_last_promotion", "1 for the state that the environment's last promotion is in.", *PLACE, "state"
)
LAST_PROMOTION_AT = readings.family(
    "parley_last_promotion_timestamp_seconds", "When the environment's last promotion was asked for.", *PLACE
)
SERVERS = readings.family("parley_managed_servers", "Rasa servers that we run, by their state.", "state")
SLOTS = readings.family(
    "parley_slots", "Slots of the running service that wait or are in use, by their state.", "state"
)
SLOTS_CAPACITY = readings.family(
    "parley_slots_capacity", "Slots that there can be at once: workers of the running service that live."
)


def register() -> None:
    readings.register("environments", environments)
    readings.register("slots", slots)
    jobs.register(waiting_slots)


def count_poll(place: tuple[str, str], status: int) -> None:
    """`place`: assistant and environment as the caller was let in to them, else two empty words."""
    counting.count(_polls, *place, POLL_OUTCOMES.get(status, "refused"))


def environments() -> Iterator[Reading]:
    last = Promotion.objects.filter(environment=OuterRef("pk")).order_by("-number").values("pk")[:1]
    rows = Environment.objects.current().annotate(
        slug=F("assistant__slug"), model_sha256=F("tag__model__artifact_id"), last=Subquery(last)
    )
    found = list(rows.values_list("pk", "slug", "name", "model_sha256", "last"))
    places = {pk: (slug, name) for pk, slug, name, _model, _last in found}
    for _pk, slug, name, model, _last in found:
        yield MODEL(bool(model), slug, name)
    yield from _replicas(places, {pk: model for pk, _slug, _name, model, _last in found})
    yield from _last_promotions(places, [one for *_, one in found if one is not None])
    yield from _promotions(places)
    yield from _servers()


def _replicas(places: dict[int, tuple[str, str]], models: dict[int, str | None]) -> Iterator[Reading]:
    now, counts = timezone.now(), Counter[tuple[int, str]]()
    rows = list(Replica.objects.filter(environment__in=places))
    bring_up_to_date(rows)
    for replica in rows:
        pk = replica.environment_id
        runs = "current" if replica.runs_etag == (models[pk] or "") else "behind"
        counts[pk, runs if is_live(replica, now) else "silent"] += 1
    for pk, place in places.items():
        for state in ("current", "behind", "silent"):
            yield REPLICAS(counts[pk, state], *place, state)


def _last_promotions(places: dict[int, tuple[str, str]], last: list[int]) -> Iterator[Reading]:
    for promotion in Promotion.objects.filter(pk__in=last).prefetch_related("transitions"):
        place, now = places[promotion.environment_id], state_of(promotion)
        yield LAST_PROMOTION_AT(promotion.requested_at.timestamp(), *place)
        for state in PromotionTransition.State.values:
            yield LAST_PROMOTION(state == now, *place, state)


def _promotions(places: dict[int, tuple[str, str]]) -> Iterator[Reading]:
    rows = PromotionTransition.objects.values_list("promotion__environment_id", "state").order_by()
    for pk, state, number in rows.annotate(number=Count("pk")):
        if pk in places:
            yield PROMOTIONS(number, *places[pk], state)


def _servers() -> Iterator[Reading]:
    in_use = ManagedServer.objects.filter(environment__removed_at=None, environment__assistant__deleted_at=None)
    counts = dict(in_use.values_list("state").annotate(number=Count("pk")).order_by())
    for state in ManagedServer.State.values:
        yield SERVERS(counts.get(state, 0), state)


def slots() -> Iterator[Reading]:
    yield SLOTS_CAPACITY(heartbeat.live("running-worker"))
    open_ones = Slot.objects.filter(state__in=(Slot.State.WAITING, *Slot.HELD))
    counts = dict(open_ones.values_list("state").annotate(number=Count("pk")).order_by())
    for state in (Slot.State.WAITING, *Slot.HELD):
        yield SLOTS(counts.get(state, 0), state)


def waiting_slots() -> Iterator[Waiting]:
    """Wishes for a slot, in the same form as other jobs."""
    rows = Slot.objects.filter(state=Slot.State.WAITING).values_list("requested_at", flat=True)
    found = list(rows)
    yield Waiting("slot", "waiting", len(found), min(found, default=None))
