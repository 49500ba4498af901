"""How far a promotion is, as told by polls through the model server."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from environments.models import Replica
from environments.services import polls, replicas, transitions
from environments.services.transitions import advance_open, last_that_ran, reasons_to_keep, state_of
from models_app.services.models import delete_model
from models_app.storage import store
from studio.errors import DomainError
from tests.environments.polling import Poller, break_off
from tests.factories import make_model


@pytest.fixture
def rasa_1(client: Client, production) -> Poller:
    return Poller(client, production, "rasa-1")


@pytest.fixture
def rasa_2(client: Client, production) -> Poller:
    return Poller(client, production, "rasa-2")


def run(poller: Poller, promote_to_production, model):
    promotion = promote_to_production(model)
    poller.poll()
    poller.poll()
    assert state_of(promotion) == "running"
    return promotion


def states(promotion) -> list[str]:
    return [transition.state for transition in promotion.transitions.all()]


def test_nobody_polls(promote_to_production, assistant):
    assert state_of(promote_to_production(make_model(assistant))) == "switched"


def test_taking_the_model_is_not_running_it(rasa_1, promote_to_production, assistant):
    promotion = promote_to_production(make_model(assistant))

    rasa_1.poll()

    assert state_of(promotion) == "switched"


def test_polling_with_the_new_etag_is_running_it(rasa_1, promote_to_production, assistant):
    promotion = promote_to_production(make_model(assistant))

    rasa_1.poll()
    rasa_1.poll()

    assert states(promotion) == ["requested", "switched", "first-running", "running"]


def test_running_waits_for_every_live_replica(rasa_1, rasa_2, promote_to_production, assistant):
    run(rasa_1, promote_to_production, make_model(assistant))
    rasa_2.poll()
    rasa_2.poll()
    promotion = promote_to_production(make_model(assistant))

    rasa_1.poll()
    rasa_1.poll()
    assert state_of(promotion) == "first-running"
    assert promotion.transitions.get(state="first-running").detail == {"replica": "rasa-1"}

    rasa_2.poll()
    rasa_2.poll()
    assert promotion.transitions.get(state="running").detail == {"replicas": 2}


def test_a_replica_that_loads_is_waited_for(rasa_1, rasa_2, promote_to_production, assistant, monkeypatch):
    monkeypatch.setattr(replicas, "LOAD_SECONDS", 120)  # as with a large model
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run(rasa_1, promote_to_production, make_model(assistant))
        rasa_2.poll()
        promotion = promote_to_production(make_model(assistant))
        rasa_2.poll()
        clock.shift(90)  # while it loads it asks nothing
        rasa_1.poll()
        rasa_1.poll()

        assert state_of(promotion) == "first-running"


def shown_live(replica: Replica) -> bool:
    return replicas.is_live(replica, timezone.now())


class TestAReplicaThatEndsWhileItIsBusy:
    @pytest.fixture
    def clock(self):
        with time_machine.travel(timezone.now(), tick=False) as clock:
            yield clock

    @pytest.fixture(autouse=True)
    def used_to_poll(self, clock, rasa_1, promote_to_production, assistant):
        """Every 5 seconds; then there is news."""
        run(rasa_1, promote_to_production, make_model(assistant))
        for _ in range(3):
            clock.shift(5)
            rasa_1.poll()
        polls.flush()
        promote_to_production(make_model(assistant))
        clock.shift(5)

    def test_three_of_its_intervals_after_its_pull_broke_it_is_gone(self, clock, rasa_1):
        rasa_1.poll(cut=True)
        clock.shift(14)
        assert shown_live(rasa_1.replica)
        clock.shift(7)
        assert not shown_live(rasa_1.replica)

    def test_it_pulls_as_long_as_its_connection_holds(self, clock, rasa_1):
        response = rasa_1.ask()
        clock.shift(200)
        assert shown_live(rasa_1.replica)
        break_off(response)
        clock.shift(21)
        assert not shown_live(rasa_1.replica)

    def test_a_small_model_is_not_long_in_loading(self, clock, rasa_1):
        rasa_1.poll()
        clock.shift(85)
        assert shown_live(rasa_1.replica)
        clock.shift(10)
        assert not shown_live(rasa_1.replica)

    def test_a_large_model_takes_its_time(self, clock, rasa_1, monkeypatch):
        monkeypatch.setattr(replicas, "LOAD_SECONDS_PER_MB", 1e6)
        rasa_1.poll()
        clock.shift(180)
        assert shown_live(rasa_1.replica)

    def test_an_old_pull_that_ends_late_says_nothing_of_the_next_one(self, clock, rasa_1):
        old = rasa_1.ask()
        clock.shift(5)
        new = rasa_1.ask()
        break_off(old)
        assert rasa_1.replica.pulling_since is not None
        break_off(new)

    def test_it_does_not_pull_what_the_store_does_not_have(self, rasa_1, production):
        production.refresh_from_db()
        store().delete(production.tag.model.artifact_id)
        assert rasa_1.ask().status_code == 503
        assert rasa_1.replica.pulling_since is None


def test_a_silent_replica_is_not_waited_for(rasa_1, rasa_2, promote_to_production, assistant):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run(rasa_1, promote_to_production, make_model(assistant))
        rasa_2.poll()
        rasa_2.poll()
        promotion = promote_to_production(make_model(assistant))
        clock.shift(30)
        rasa_1.poll()
        rasa_1.poll()
        assert state_of(promotion) == "first-running"

        clock.shift(40)
        rasa_1.poll()
        polls.flush()
        advance_open()

        assert state_of(promotion) == "running"


class TestAModelThatDoesNotLoad:
    @pytest.fixture
    def good(self, rasa_1, promote_to_production, assistant):
        model = make_model(assistant, "good")
        run(rasa_1, promote_to_production, model)
        return model

    @pytest.fixture
    def promotion(self, good, rasa_1, promote_to_production, assistant):
        rasa_1.loads = False
        return promote_to_production(make_model(assistant, "bad"))

    def test_the_promotion_fails_at_the_second_poll_after_taking_it(self, promotion, rasa_1):
        rasa_1.poll()
        rasa_1.poll()
        assert state_of(promotion) == "switched"

        rasa_1.poll()

        assert state_of(promotion) == "failed"
        assert promotion.transitions.get(state="failed").detail == {"replicas": ["rasa-1"]}

    def test_an_unnamed_replica_fails_nothing(self, promotion, client, production):
        Replica.objects.all().delete()
        unnamed = Poller(client, production, loads=False)

        for _ in range(5):
            unnamed.poll()

        assert state_of(promotion) == "switched"

    def test_a_name_that_rasa_did_not_expand_is_no_name(self, promotion, client, production):
        Replica.objects.all().delete()
        unnamed = Poller(client, production, "${PARLEY_REPLICA}", loads=False)

        unnamed.poll()

        assert [(replica.key, replica.named) for replica in production.replicas.all()] == [("127.0.0.1", False)]

    def test_a_pull_cut_short_is_no_reason_to_fail(self, promotion, rasa_1, client, production, monkeypatch):
        monkeypatch.setattr(polls, "record_served", lambda *arguments: None)  # as when the body did not go out
        for _ in range(4):
            rasa_1.poll()

        assert state_of(promotion) == "switched"

    def test_one_returns_to_the_last_that_ran(self, promotion, good, rasa_1, production, promote_to_production):
        for _ in range(3):
            rasa_1.poll()
        production.refresh_from_db()

        assert last_that_ran(production) == good
        back = promote_to_production(good)
        rasa_1.poll()
        assert state_of(back) == "running"

    def test_a_failed_promotion_stays_failed(self, promotion, rasa_1):
        for _ in range(3):
            rasa_1.poll()
        rasa_1.loads = True
        rasa_1.poll()
        rasa_1.poll()

        assert state_of(promotion) == "failed"


def test_a_model_that_every_replica_still_runs_is_running_at_once(rasa_1, promote_to_production, assistant):
    model = make_model(assistant)
    run(rasa_1, promote_to_production, model)
    promote_to_production(None)
    assert rasa_1.poll().status_code == 204

    assert state_of(promote_to_production(model)) == "running"


def test_a_replica_that_loads_another_model_does_not_count_as_running_the_old_one(
    rasa_1, promote_to_production, assistant
):
    first = make_model(assistant)
    run(rasa_1, promote_to_production, first)
    promote_to_production(make_model(assistant))
    rasa_1.poll()

    back = promote_to_production(first)
    assert state_of(back) == "switched"
    rasa_1.poll()
    rasa_1.poll()
    assert state_of(back) == "running"


def test_an_old_promotion_is_not_touched_by_later_polls(rasa_1, promote_to_production, assistant):
    first = promote_to_production(make_model(assistant))
    rasa_1.poll()
    promote_to_production(make_model(assistant))
    rasa_1.poll()

    assert state_of(first) == "superseded"


def test_the_last_three_that_ran_are_kept(rasa_1, promote_to_production, assistant, production):
    ran = [make_model(assistant, f"m{number}") for number in range(5)]
    for model in ran:
        run(rasa_1, promote_to_production, model)

    assert reasons_to_keep(ran).keys() == {model.pk for model in ran[2:]}
    assert last_that_ran(production) == ran[3]
    with pytest.raises(DomainError, match="one of the last 3 models that ran in production"):
        delete_model(actor=None, model=ran[3])
    delete_model(actor=None, model=ran[0])


def test_what_a_replica_runs_is_known(rasa_1, promote_to_production, assistant):
    model = make_model(assistant)
    run(rasa_1, promote_to_production, model)

    assert (rasa_1.replica.model, rasa_1.replica.named) == (model, True)


def test_polls_without_news_are_gathered_by_the_schedule(rasa_1, promote_to_production, assistant):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run(rasa_1, promote_to_production, make_model(assistant))
        seen = rasa_1.replica.last_seen_at
        for _ in range(3):
            clock.shift(5)
            rasa_1.poll()
        assert rasa_1.replica.last_seen_at == seen

        polls.flush()

        assert rasa_1.replica.last_seen_at - seen == pytest.approx(timedelta(seconds=15), abs=timedelta(seconds=0.01))
        assert rasa_1.replica.interval == pytest.approx(5)


def test_one_long_absence_does_not_make_a_replica_look_slow(rasa_1, promote_to_production, assistant):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run(rasa_1, promote_to_production, make_model(assistant))
        for gap in (5, 5, 3 * 3600, 5):
            clock.shift(gap)
            rasa_1.poll()
        polls.flush()

        assert rasa_1.replica.interval == pytest.approx(5)


def test_what_could_not_be_written_is_mended_by_the_schedule(rasa_1, promote_to_production, assistant):
    model = make_model(assistant)
    run(rasa_1, promote_to_production, model)
    Replica.objects.all().delete()

    polls.flush()

    assert rasa_1.replica.runs_etag == model.artifact_id


def test_the_schedule_may_be_faster_than_the_poll_that_it_gathers(
    rasa_1, promote_to_production, assistant, monkeypatch
):
    good = make_model(assistant)
    run(rasa_1, promote_to_production, good)
    write = polls.record

    def gathered_first(*arguments, **named):
        monkeypatch.setattr(polls, "record", write)
        polls.flush()
        write(*arguments, **named)
        monkeypatch.setattr(polls, "record", gathered_first)

    monkeypatch.setattr(polls, "record", gathered_first)
    rasa_1.loads = False
    bad = promote_to_production(make_model(assistant))
    for _ in range(3):
        rasa_1.poll()
    assert state_of(bad) == "failed"

    back = promote_to_production(good)
    rasa_1.poll()
    assert state_of(back) == "running"


def test_a_replica_whose_return_could_not_be_written_is_mended_by_the_schedule(
    rasa_1, promote_to_production, assistant
):
    run(rasa_1, promote_to_production, make_model(assistant))
    Replica.objects.update(pulling_since=timezone.now())

    polls.flush()

    assert rasa_1.replica.pulling_since is None


def test_replicas_silent_for_a_day_are_forgotten(rasa_1, rasa_2, promote_to_production, assistant):
    run(rasa_1, promote_to_production, make_model(assistant))
    rasa_2.poll()
    Replica.objects.filter(key="rasa-1").update(last_seen_at=timezone.now() - timedelta(hours=25))

    replicas.forget_silent()

    assert [replica.key for replica in Replica.objects.all()] == ["rasa-2"]


def test_the_speed_of_large_pulls_is_measured(rasa_1, promote_to_production, assistant, production, monkeypatch):
    monkeypatch.setattr(replicas, "MEASURED_BYTES", 100)
    promote_to_production(make_model(assistant))

    rasa_1.poll()

    production.refresh_from_db()
    assert production.pull_speed > 0


def test_the_states_are_in_one_order():
    assert {str(state) for state in transitions._ORDER} == set(transitions.State.values)
