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
