"""Training: the log as it comes, and how it ends."""

import pytest

from tests.cli.worlds import DOMAIN


@pytest.fixture
def ready(parley):
    parley.world.save(domain=DOMAIN)
    return parley


def test_its_log_beside_and_its_model_as_the_result(ready) -> None:
    ready.world.training_ends("done", lines="Epochs: 1\nEpochs: 2\n", model="otter")
    ended = ready.done("train")
    assert ended.out == "otter\n"
    assert "Training 1 of revision 1." in ended.err and "Epochs: 1\nEpochs: 2" in ended.err


def test_for_programs_lines_and_at_last_the_training(ready) -> None:
    ready.world.training_ends("done", lines="Epochs: 1\n", model="otter")
    lines = ready.done("train", "--json").lines
    assert lines[0] == {"line": "Epochs: 1"}
    assert (lines[-1]["model"], lines[-1]["training"]["state"]) == ("otter", "done")


def test_what_was_trained_already_is_no_failure(ready) -> None:
    ready.world.training_ends("done", model="otter")
    ready.done("train")
    ended = ready.done("train")
    assert (ended.out, "--force" in ended.err) == ("otter\n", True)
    ready.world.training_ends("done", model="mink")
    assert ready.done("train", "--force").out == "mink\n"


@pytest.mark.parametrize(("state", "code"), [("failed", 20), ("cancelled", 21), ("lost", 22)])
def test_how_it_can_end(ready, state: str, code: int) -> None:
    ready.world.training_ends(state)
    ended = ready("train")
    assert (ended.code, ended.out) == (code, "")


def test_ctrl_c_leaves_it_running_and_says_how_to_come_back(ready) -> None:
    ready.interrupted_while_waiting()
    ended = ready("train")
    assert (ended.code, "parley train --follow 1" in ended.err) == (130, True)


def test_coming_back(ready) -> None:
    assert "--follow 1" in ready.done("train", "--detach").out
    ready.world.training_ends("done", lines="Epochs: 1\n", model="otter")
    assert ready.done("train", "--follow", "1").out == "otter\n"


def test_ctrl_c_can_cancel_it(ready) -> None:
    ready.interrupted_while_waiting()
    assert ready("train", "--cancel-on-interrupt").code == 130
    assert ready("train", "--follow", "1").code == 21


def test_cancelling(ready) -> None:
    ready.done("train", "--detach")
    ready.done("train", "--cancel", "1")
    assert ready("train", "--follow", "1").code == 21


def test_what_is_not_there(ready) -> None:
    assert ready("train", "--follow", "9").code == 5


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_a_training_outlasts_a_restart_of_parley(with_fake, requests: int) -> None:
    with_fake.world.save(domain=DOMAIN)
    with_fake.world.training_ends("done", lines="Epochs: 1\n", model="otter")
    with_fake.world.restarts_after = requests
    assert with_fake.done("train").out == "otter\n"


def test_a_training_whose_parley_stays_away_goes_on(with_fake) -> None:
    with_fake.world.save(domain=DOMAIN)
    with_fake.world.restarts_after, with_fake.world.away = 1, 1000
    ended = with_fake("train")
    assert (ended.code, "Training 1 goes on. Read along: parley train --follow 1" in ended.err) == (7, True)


def test_the_time_is_over(ready) -> None:
    ready.nothing_happens()
    ended = ready("train", "--timeout", "20")
    assert (ended.code, "The time is over. Training 1 goes on." in ended.err) == (12, True)


# --- Tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("correct", "code", "out"), [(3, 0, "otter\n"), (1, 23, "")])
def test_its_test_decides_too(ready, correct: int, code: int, out: str) -> None:
    ready.world.training_ends("done", model="otter")
    ready.world.test_ends(correct, 3)
    ended = ready("train", "--tests")
    assert (ended.code, ended.out) == (code, out)
    assert f"Test 2 of otter: {correct} of 3 test stories went as written; No examples." in ended.err
    assert ("2 of 3 test stories did not go as written: story 1, story 2." in ended.err) == (code == 23)
    again = ready("train", "--tests", "--json")  # what was trained already is judged by the test that there is
    assert (again.code, again.lines[-1]["model"], again.lines[-1]["tests"]["number"]) == (code, "otter", 2)


def test_a_model_that_was_never_tested_is(ready) -> None:
    ready.world.training_ends("done", model="otter")
    ready.done("train")
    ready.world.test_ends(2, 2)
    assert "2 of 2 test stories" in ready.done("train", "--tests").err


def test_a_test_that_fails_is_no_success(with_fake) -> None:
    with_fake.world.save(domain=DOMAIN)
    with_fake.world.training_ends("done", model="otter")
    with_fake.done("train")
    with_fake.world.training_ends("failed")
    ended = with_fake("train", "--tests")
    assert (ended.code, "otter is trained, but not tested. Test 2: Rasa could not" in ended.err) == (23, True)
