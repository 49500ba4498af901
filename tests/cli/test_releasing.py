"""Promoting, waiting for it, going back; and what runs where."""

import itertools

import pytest


@pytest.fixture
def live(parley):
    """`one` runs in production, where a server polls; `two` is there as well."""
    parley.world.add_model("one")
    parley.world.add_model("two")
    parley.world.server()
    parley.done("promote", "one", "--to", "production", "--wait")
    return parley


def test_it_runs(live) -> None:
    ended = live.done("promote", "two.tar.gz", "--to", "production", "--wait", "--reason", "better", "--json")
    assert (ended.json["state"], ended.json["model"], ended.json["exit_code"]) == ("running", "two", 0)
    row = next(row for row in live.done("status", "--json").json if row["environment"] == "production")
    assert (row["model"]["model"], row["status"], row["running"], row["live"]) == ("two", "running", 1, 1)
    assert live.done("status").out.split("\t")[:4] == ["production", "two", "running", "1 of 1"]


def test_what_is_live_already_is_no_failure(live) -> None:
    ended = live.done("promote", "one", "--to", "production", "--wait")
    assert "already" in ended.err


def test_back_to_the_one_before(live) -> None:
    assert live("rollback", "production").code == 6  # nothing else has run
    live.done("promote", "two", "--to", "production", "--wait")
    ended = live.done("rollback", "production", "--wait", "--json")
    assert (ended.json["model"], ended.json["state"]) == ("one", "running")


def test_a_server_could_not_load_it(parley) -> None:
    parley.world.add_model("one")
    parley.world.server(loads=False)
    ended = parley("promote", "one", "--to", "production", "--wait")
    assert (ended.code, "parley rollback production" in ended.err) == (10, True)


def test_another_was_promoted_meanwhile(parley) -> None:
    parley.world.add_model("one")
    parley.world.add_model("two")
    parley.world.promotes("two")
    ended = parley("promote", "one", "--to", "production", "--wait", "--json")
    assert (ended.code, ended.json["state"], ended.json["exit_code"]) == (11, "superseded", 11)


def test_the_time_is_over(live) -> None:
    live.nothing_happens()
    ended = live("promote", "two", "--to", "production", "--wait", "--timeout", "1")
    assert (ended.code, "The time is over" in ended.err) == (12, True)


def test_nobody_polls(parley) -> None:
    parley.world.add_model("one")
    parley.world.add_model("two")
    ended = parley("promote", "one", "--to", "production", "--wait", "--timeout", "3")
    assert (ended.code, "time is over, and no server polls" in ended.err) == (12, True)
    ended = parley("promote", "two", "--to", "production", "--wait")
    assert (ended.code, "The tag moved, but no server polls" in ended.err) == (13, True)


def test_a_server_that_is_away_for_a_moment_is_waited_for(with_fake, monkeypatch) -> None:
    fake = with_fake.world
    fake.add_model("one")
    fake.servers = [True]
    with_fake.nothing_happens()
    facts, asked = fake.promotion_facts, itertools.count()

    def blinking(row: dict[str, object]) -> dict[str, object]:
        return {**facts(row), "live": 0 if next(asked) == 150 else 1}

    monkeypatch.setattr(fake, "promotion_facts", blinking)
    assert with_fake("promote", "one", "--to", "production", "--wait").code == 12
    assert next(asked) > 290


def test_without_waiting_it_ends_at_once(parley) -> None:
    parley.world.add_model("one")
    assert parley.done("promote", "one", "--to", "production", "--json").json["state"] == "switched"


def test_somebody_was_faster(live) -> None:
    ended = live("promote", "two", "--to", "production", "--expected-current", "two")
    assert (ended.code, ended.out) == (6, "")
    live.done("promote", "two", "--to", "production", "--expected-current", "one")


def test_what_is_not_there(parley) -> None:
    assert parley("promote", "none", "--to", "production").code == 1
    assert parley("promote", "none", "--to", "nowhere").code == 5
    assert parley("status", "--project", "nowhere").code == 5


def test_ctrl_c_leaves_the_promotion(live) -> None:
    live.interrupted_while_waiting()
    assert live("promote", "two", "--to", "production", "--wait").code == 130
    row = next(row for row in live.done("status", "--json").json if row["environment"] == "production")
    assert row["model"]["model"] == "two"


def test_waiting_outlasts_a_restart_of_parley_but_not_its_own_time(with_fake) -> None:
    fake = with_fake.world
    fake.add_model("one")
    fake.server()
    fake.restarts_after = 1
    with_fake.done("promote", "one", "--to", "production", "--wait")
    fake.add_model("two")
    fake.restarts_after, fake.away = 1, 1000
    ended = with_fake("promote", "two", "--to", "production", "--wait", "--timeout", "60")
    assert (ended.code, "The promotion goes on: parley status" in ended.err) == (7, True)
    assert 900 < len(fake.trouble) < 1000
