"""Estimates held to made-up histories whose truth is known."""

import heapq
import random
from datetime import timedelta

import pytest
from django.utils import timezone

from models_app.models import TrainingJob
from models_app.services import training
from models_app.services.revisions import newest_revision, save_revision
from models_app.training.estimate import FURTHEST, Running, Spread, remaining, spread_of, starts, words
from models_app.training.outlook import look_ahead, usual_words
from studio.jobs import heartbeat
from studio.rasa.models import RasaRuntime
from tests.factories import make_assistant

NBSP = "\u00a0"


def test_without_history_there_is_no_estimate():
    assert spread_of([]) is None
    assert remaining([60, 80], elapsed=90) is None
    assert starts([], [[]], workers=0) == [None]


def test_what_has_run_longer_than_some_is_compared_with_the_others():
    assert remaining([60, 100, 140], elapsed=90).middle == pytest.approx(30)


def test_a_free_worker_starts_the_first_at_once_and_the_others_after_it():
    first, second, third = starts([], [[60], [60], [60]], workers=1)
    assert [first.middle, second.middle, third.middle] == [0, 60, 120]
    assert [spread.middle for spread in starts([Running([60], 20)], [[60]] * 3, workers=2)] == [0, 40, 60]


def test_what_has_no_history_hides_the_starts_behind_it_and_no_others():
    assert starts([], [[], [60], [60]], workers=1)[1:] == [None, None]
    assert [spread.middle for spread in starts([], [[], [60], [60]], workers=2)] == [0, 0, 60]
    assert starts([Running([], 5)], [[60]], workers=1) == [None]


def test_a_long_line_is_told_no_time_behind_its_hundredth_place():
    found = starts([], [[10.0]] * (FURTHEST + 5), workers=2)
    assert found[FURTHEST - 1] is not None
    assert found[FURTHEST:] == [None] * 5


def test_four_of_five_made_up_lines_start_within_their_spread():
    """The truth is drawn from the distribution that the history was drawn from, not from the history."""
    chance = random.Random(1)
    inside = tries = 0
    for _ in range(150):
        middle, workers = chance.uniform(30, 600), chance.choice([1, 2, 3])

        def takes(middle=middle):
            return middle * chance.lognormvariate(0, 0.25)

        history = [takes() for _ in range(20)]
        ahead = chance.randint(workers, 8)
        start = starts([], [history] * (ahead + 1), workers)[-1]
        free_at = [0.0] * workers
        for _ in range(ahead):
            heapq.heapreplace(free_at, free_at[0] + takes())
        inside += start.low <= free_at[0] <= start.high
        tries += 1
    assert 0.65 <= inside / tries <= 0.9


def test_four_of_five_trainings_end_within_what_was_left():
    chance = random.Random(2)
    inside = tries = 0
    while tries < 400:
        history = [chance.lognormvariate(5, 0.3) for _ in range(20)]
        whole, elapsed = chance.lognormvariate(5, 0.3), chance.uniform(0, 120)
        left = remaining(history, elapsed)
        if whole <= elapsed or left is None:
            continue
        inside += left.low <= whole - elapsed <= left.high
        tries += 1
    assert 0.65 <= inside / tries <= 0.9


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (Spread(41, 41, 41), "about 40 s"),
        (Spread(3, 4, 5), "about 4 s (3–5)"),
        (Spread(190, 240, 355), "about 4 min (3–6)"),
        (Spread(3600, 7200, 9000), "about 2 h (1–2.5)"),
        (Spread(0, 0.2, 0.9), "about 1 s"),
        (Spread(20, 100, 130), "about 2 min (1–2)"),
    ],
)
def test_words_are_in_the_unit_of_the_middle(spread, said):
    assert words(spread).replace(NBSP, " ") == said


# --- From rows ----------------------------------------------------------------------------------------------------


@pytest.fixture
def assistant(db):
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": RasaRuntime.State.READY})
    return make_assistant(slug="cafe")


def request(assistant):
    newest = newest_revision(assistant)
    number = newest.number if newest else None
    content = b"n: %d" % (number or 0)
    save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="", parent_number=number)
    return training.request_training(actor=None, assistant=assistant)


def done(assistant, *seconds):
    for one in seconds:
        job, now = request(assistant), timezone.now()
        began = now - timedelta(seconds=one)
        TrainingJob.objects.filter(pk=job.pk).update(state="done", started_at=began, finished_at=now)


def test_one_who_waits_is_told_start_and_length(assistant):
    done(assistant, 200, 240, 280)
    running, waiting = request(assistant), request(assistant)
    training.claim(worker="w", versions=["3.6.21"])
    assert look_ahead().words(waiting) == ""  # no worker runs: the page says so
    heartbeat.beat("training-worker")
    outlook = look_ahead()
    running.refresh_from_db()
    assert outlook.words(running).replace(NBSP, " ") == "about 4 min (3–5) left"
    assert outlook.words(waiting).replace(NBSP, " ") == "starts in about 4 min (3–5); takes about 4 min (3–5)"
    assert usual_words(assistant).replace(NBSP, " ") == "about 4 min (3–5)"


def test_the_first_training_is_honest(assistant):
    heartbeat.beat("training-worker")
    first, second = request(assistant), request(assistant)
    outlook = look_ahead()
    assert outlook.words(first).startswith("starts at once; no estimate of its length")
    assert outlook.words(second).startswith("no estimate of its start")
    assert usual_words(assistant) == ""


def test_failed_trainings_and_other_assistants_teach_nothing(assistant):
    done(make_assistant(slug="bar"), 10)
    done(assistant, 20)
    TrainingJob.objects.filter(assistant=assistant).update(state="failed")
    assert usual_words(assistant) == ""


def test_one_that_takes_longer_than_any_before_says_so(assistant):
    done(assistant, 30, 40)
    job = request(assistant)
    training.claim(worker="w", versions=["3.6.21"])
    TrainingJob.objects.filter(pk=job.pk).update(started_at=timezone.now() - timedelta(seconds=90))
    job.refresh_from_db()
    assert look_ahead().words(job) == "takes longer than any of the last 2"
