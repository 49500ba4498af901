"""`python -m bench`: which benchmarks it takes, and the table it prints."""

import os

import pytest

from bench import __main__ as command
from bench import alone, ground
from bench.rows import NotRun, Row, table

FAST = Row("poll", "10 us", "constant 9 us", "90 % of its rate", "95 %", False)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))


def run(monkeypatch, *names):
    monkeypatch.setattr("sys.argv", ["bench", *names])
    return command.main()


def test_a_row_says_whether_its_aim_holds():
    lines = table([FAST, Row("what has no aim", "1 s")]).splitlines()
    assert [line.split("|")[-2].strip() for line in lines] == ["holds", "-" * 7, "NO", ""]
    assert len({len(line) for line in lines}) == 1


def test_what_was_not_asked_for_is_named(monkeypatch, capsys):
    monkeypatch.setattr(alone, "run", lambda _name: [FAST])
    run(monkeypatch, "poll")
    said = capsys.readouterr().out
    assert "90 % of its rate" in said
    assert "poll was not run" not in said
    assert "clone was not run: it was not asked for." in said


def test_what_cannot_run_here_says_why_and_stops_no_other(monkeypatch, capsys):
    def refuse_one(name):
        if name == "download":
            raise NotRun("there is no nginx on PATH.")
        return [FAST]

    monkeypatch.setattr(alone, "run", refuse_one)
    assert run(monkeypatch, "download", "poll") == 0
    said = capsys.readouterr().out
    assert "download was not run: there is no nginx on PATH." in said
    assert "90 % of its rate" in said


def test_an_unknown_name_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "pol")
    assert "there is no benchmark pol" in capsys.readouterr().err


def test_the_servers_of_the_environment_are_forgotten():
    os.environ["DATABASE_URL"], os.environ["PARLEY_DATA"] = "postgresql://team/parley", "/srv/parley"
    ground.forget_this_installation()
    assert not {"DATABASE_URL", "PARLEY_DATA"} & os.environ.keys()


def test_a_database_named_in_the_checkouts_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=8001\nDATABASE_URL=postgresql://team/parley\n")
    monkeypatch.setattr(ground, "CHECKOUT", tmp_path)
    with pytest.raises(NotRun, match="DATABASE_URL"):
        ground.forget_this_installation()
