"""What /metrics tells of environments, promotions and slots."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import metrics
from environments.models import Promotion, PromotionTransition, Replica, Slot
from environments.services import trying
from studio.jobs.heartbeat import beat
from tests.environments.polling import Poller
from tests.factories import environment_of, make_assistant, make_model
from tests.scraping import scraped

__all__ = ["scraped"]


def told(reader) -> dict[tuple[str, ...], float]:
    return {(one.family.name, *one.labels): one.value for one in reader()}


def test_polls_are_counted_by_environment_and_outcome(scraped, poller: Poller, production, promote_to_production):
    poller.poll()
    promote_to_production(make_model(production.assistant))
    poller.poll()
    poller.poll()
    poller.poll()
    Poller(poller.client, production, "rasa-2", token="wrong-token").poll()
    found = scraped()

    def polls(environment: str, outcome: str) -> float:
        assistant = "default" if environment else ""
        return found[f"parley_model_polls_total{{assistant={assistant},environment={environment},outcome={outcome}}}"]

    assert (polls("production", "no_model"), polls("production", "model"), polls("production", "unchanged")) == (
        1,
        1,
        2,
    )
    assert polls("", "refused") == 1
    route = "/api/projects/{slug}/models/tags/{tag}"
    assert found[f"parley_http_requests_total{{method=GET,route={route},status=304}}"] == 2


def test_names_that_callers_make_up_are_never_told(scraped, client, settings):
    settings.RASA_X_TOKEN = "every-model-of-default"
    client.get("/api/projects/default/models/tags/made-up-4711?token=every-model-of-default")
    client.get("/api/projects/made-up-4711/models/tags/production?token=something")
    found = scraped()
    assert found["parley_model_polls_total{assistant=,environment=,outcome=unknown}"] == 1
    assert not [series for series in found if "made-up" in series]


def test_replicas_are_current_behind_or_silent(production, poller, promote_to_production):
    promote_to_production(make_model(production.assistant))
    poller.poll()
    poller.poll()
    Poller(poller.client, production, "rasa-2", loads=False).poll()
    Poller(poller.client, production, "rasa-3").poll()
    hour_ago = timezone.now() - timedelta(hours=1)
    Replica.objects.filter(key="rasa-3").update(key="rasa-gone", last_seen_at=hour_ago, busy_until=None)
    Replica.objects.filter(key="rasa-1").update(last_seen_at=hour_ago, busy_until=None)  # no schedule wrote its polls
    found = told(metrics.environments)
    states = {
        state: found["parley_replicas", "default", "production", state] for state in ("current", "behind", "silent")
    }
    assert states == {"current": 1, "behind": 1, "silent": 1}
    assert found["parley_environment_has_model", "default", "production"] == 1
    assert found["parley_environment_has_model", "default", "worker"] == 0


def test_promotions_are_told_by_the_states_that_they_reached(production, poller, promote_to_production):
    promote_to_production(make_model(production.assistant))
    poller.poll()
    poller.poll()
    promote_to_production(make_model(production.assistant))
    found = told(metrics.environments)
    place = "default", "production"
    assert found["parley_promotions_total", *place, "running"] == 1
    assert found["parley_promotions_total", *place, "switched"] == 2
    assert found["parley_last_promotion", *place, "switched"] == 1
    assert found["parley_last_promotion", *place, "running"] == 0
    assert timezone.now().timestamp() - found["parley_last_promotion_timestamp_seconds", *place] < 60


def test_a_removed_environment_is_told_no_more(production, promote_to_production):
    promote_to_production(make_model(production.assistant))
    type(production).objects.filter(pk=production.pk).update(removed_at=timezone.now())
    assert not [series for series in told(metrics.environments) if "production" in series]


def test_slots_are_told_by_state_beside_how_many_there_can_be(assistant):
    beat("running-worker")
    waits = Slot.objects.create(environment=trying.place_of(assistant), model=make_model(assistant))
    Slot.objects.filter(pk=waits.pk).update(requested_at=timezone.now() - timedelta(minutes=5))
    runs, ended = Slot.State.RUNNING, Slot.State.ENDED
    Slot.objects.create(environment=trying.place_of(assistant), model=make_model(assistant), state=runs)
    Slot.objects.create(environment=trying.place_of(assistant), model=make_model(assistant), state=ended)
    found = told(metrics.slots)
    assert found["parley_slots", "waiting"] == found["parley_slots", "running"] == found["parley_slots_capacity",] == 1
    assert "ended" not in {series[-1] for series in found}
    (waiting,) = metrics.waiting_slots()
    assert (waiting.kind, waiting.state, waiting.number) == ("slot", "waiting", 1)


def test_the_queries_do_not_grow_with_the_environments(production, promote_to_production):
    promote_to_production(make_model(production.assistant))
    with CaptureQueriesContext(connection) as few:
        list(metrics.environments())
    for number in range(4):
        other = environment_of(make_assistant(f"other-{number}"))
        promotion = Promotion.objects.create(environment=other, number=1, generation=1, requested_at=timezone.now())
        PromotionTransition.objects.create(promotion=promotion, state="requested", at=timezone.now())
    with CaptureQueriesContext(connection) as many:
        list(metrics.environments())
    assert len(few) == len(many) <= 6
