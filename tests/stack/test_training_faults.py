"""A worker, the machine, Redis, the database or the store goes away in the middle of a training.

Each time the job is in a true state within a minute of the recovery, was trained no oftener than it had to be, has one
model, and nothing runs or lies about. A full disk is in tests/models_app/test_training_limits.py.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.stack.s3 import S3Server
from tests.stack.stage import Stage
from tests.stack.training_house import RECOVERED, House
from tests.stack.training_house import house as a_house

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest.fixture(scope="module")
def the_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    folder.chmod(0o755)
    with a_house(folder) as made:
        yield made


@pytest.fixture
def house(the_house: House) -> Iterator[House]:
    """A schedule runs; the gate is shut, and nothing has been trained."""
    the_house.gate.unlink(missing_ok=True)
    the_house.count.unlink(missing_ok=True)
    the_house.schedule()
    yield the_house
    the_house.end()


@pytest.fixture
def stage(house: House) -> Stage:
    return house.stage


def test_a_worker_that_is_killed(house):
    worker = house.worker()
    (job,) = house.ask()
    house.await_training(job)
    worker.kill()
    house.worker()
    house.open()
    house.ends_well(job, attempts=2)
    assert house.trainings() == 2


def test_a_worker_that_is_told_to_stop_lets_its_job_end(house):
    worker = house.worker(PARLEY_WORKER_GRACE="60")
    (job,) = house.ask()
    house.await_training(job)
    worker.terminate()
    house.open()
    house.ends_well(job, attempts=1)
    assert worker.wait(90) == 0


def test_a_worker_that_is_told_to_stop_hands_its_job_back_in_the_end(house):
    """Any number of times, as an update of many machines does; no silence has to be waited for."""
    (job,) = house.ask()
    for attempt in (1, 2, 3):
        worker = house.worker(PARLEY_WORKER_GRACE="1")
        house.await_training(job, attempt)
        worker.terminate()
        assert worker.wait(90) == 0
        assert house.is_in(job, "queued")
    house.worker()
    house.open()
    house.ends_well(job, attempts=4)


def test_a_worker_that_is_killed_with_all_its_children(house):
    """As when the machine runs out of memory, or a service manager kills the whole group; also the keeper dies."""
    worker = house.worker()
    (job,) = house.ask()
    house.await_training(job)
    doomed = [worker.pid, *(child.pid for child in psutil.Process(worker.pid).children(recursive=True))]
    for pid in doomed[:-1]:  # all but Rasa itself
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    house.worker()
    house.open()
    house.ends_well(job, attempts=2)


def test_a_machine_that_is_switched_off(house, stage):
    house.worker()
    (running, waiting) = house.ask(2)
    house.await_training(running)
    house.kill_redis()
    stage.kill_database()
    house.end()
    stage.start_database()
    house.start_redis()
    house.schedule()
    house.worker()
    house.open()
    house.ends_well(running, attempts=2)
    house.ends_well(waiting, attempts=1)


def test_a_redis_that_is_flushed(house, stage):
    house.worker()
    (running, waiting) = house.ask(2)
    house.await_training(running)
    stage.flush_redis()
    house.open()
    house.ends_well(running, attempts=1)
    house.ends_well(waiting, attempts=1)
    assert house.trainings() == 2


def test_a_redis_that_goes_away_while_something_trains(house):
    worker = house.worker()
    (running, waiting) = house.ask(2)
    house.await_training(running)
    house.kill_redis()
    time.sleep(35)  # RQ speaks to it every 30 s
    house.open()
    house.stage.eventually(lambda: house.is_in(running, "done"), RECOVERED)  # it has no need of Redis
    house.start_redis()
    house.ends_well(running, attempts=1)
    house.ends_well(waiting, attempts=1)
    assert worker.poll() is None


def test_a_database_that_goes_away_for_a_while(house, stage):
    house.worker()
    (job,) = house.ask()
    house.await_training(job)
    stage.kill_database()
    time.sleep(5)
    house.open()
    time.sleep(3)  # it ends while nobody can be told
    stage.start_database()
    house.ends_well(job, attempts=1)
    assert house.trainings() == 1


def test_a_database_that_is_away_for_longer_than_a_worker_may_be_silent(house, stage):
    house.worker()
    (job,) = house.ask()
    house.await_training(job)
    stage.kill_database()
    time.sleep(40)
    stage.start_database()
    time.sleep(10)
    house.open()
    house.ends_well(job, attempts=1)
    assert house.trainings() == 1


class TestStore:
    @pytest.fixture
    def on_s3(self, s3: S3Server) -> dict[str, str]:
        place = s3.place(bucket=s3.make_bucket())
        return {
            "PARLEY_S3_BUCKET": place.bucket,
            "PARLEY_S3_ENDPOINT": str(place.endpoint),
            "PARLEY_S3_ACCESS_KEY_ID": place.access_key,
            "PARLEY_S3_SECRET_ACCESS_KEY": place.secret_key,
        }

    @pytest.fixture
    def waiting(self, house: House, s3: S3Server, on_s3: dict[str, str]) -> int:
        """A job whose model waits, because S3 was killed while it trained."""
        house.worker(**on_s3)
        (job,) = house.ask()
        house.await_training(job)
        s3.kill()
        house.open()
        house.stage.eventually(lambda: "Waiting to store" in house.job(job)["step"])
        assert house.is_in(job, "packaging")
        return job

    def test_one_that_goes_away_while_the_model_is_stored(self, house, s3, waiting):
        s3.start()
        house.ends_well(waiting, attempts=1)
        assert house.trainings() == 1

    def test_and_the_worker_is_killed_as_well(self, house, s3, waiting, on_s3):
        house.end()
        assert list((house.data / "jobs" / "kept").glob("*/*.tar.gz"))
        s3.start()
        house.schedule()
        house.worker(**on_s3)
        house.ends_well(waiting, attempts=2)
        assert house.trainings() == 1  # the first attempt's model was kept

    def test_somebody_cancels_who_does_not_want_to_wait(self, house, s3, waiting):
        house.stage.write("UPDATE models_app_trainingjob SET cancel_requested_at = now() WHERE id = %s", waiting)
        house.stage.eventually(lambda: house.is_in(waiting, "cancelled"), RECOVERED)
        house.leaves_nothing()
        s3.start()

    def test_a_folder_that_is_gone(self, house, tmp_path: Path):
        artifacts = tmp_path / "artifacts"
        artifacts.write_text("a disk that is not mounted")
        house.worker(PARLEY_ARTIFACTS=str(artifacts))
        (job,) = house.ask()
        house.open()
        house.stage.eventually(lambda: "Waiting to store" in house.job(job)["step"])
        artifacts.unlink()
        house.ends_well(job, attempts=1)
        assert house.trainings() == 1
