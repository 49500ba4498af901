"""Models: listing, tagging, bringing, fetching."""

import hashlib

import pytest

from parley_cli import download, upload


def test_models_are_listed_for_people_and_for_programs(parley) -> None:
    assert parley.done("models").out == ""
    for number in range(3):
        parley.world.add_model(f"model-{number}")
    rows = parley.done("models", "--json").json
    assert [row["model"] for row in rows] == ["model-2", "model-1", "model-0"]
    assert parley.done("models", "--limit", "2").out.split("\t")[0] == "model-2"
    assert [line.split("\t")[0] for line in parley.done("models", "--name", "-1").out.splitlines()] == ["model-1"]


def test_a_list_goes_on_over_pages(parley, monkeypatch) -> None:
    monkeypatch.setattr("parley_cli.client.PAGE", 2)
    for number in range(5):
        parley.world.add_model(f"model-{number}")
    assert len(parley.done("models").out.splitlines()) == 5
    assert len(parley.done("models", "-n", "3").out.splitlines()) == 3


def test_a_tag_moves_and_goes(parley) -> None:
    parley.world.add_model("one")
    parley.world.add_model("two")
    parley.done("tag", "one", "best", "--expected-current", "")
    parley.done("tag", "two.tar.gz", "best", "--reason", "better")
    assert [row["model"] for row in parley.done("tag", "--json").json if row["tag"] == "best"] == ["two"]
    stale = parley("tag", "one", "best", "--expected-current", "one")
    assert (stale.code, stale.err.count("\n")) == (6, 1)
    assert parley("tag", "one", "best", "--remove").code == 5
    assert parley("tag", "two", "best", "--remove", "--expected-current", "one").code == 6
    parley.done("tag", "two", "best", "--remove")
    assert parley("tag", "none", "best").code == 5
    assert parley("tag", "one").code == 2


def test_a_model_is_brought_and_brought_again(parley) -> None:
    content = parley.world.archive("otter")
    file = parley.project / "otter.tar.gz"
    file.write_bytes(content)
    assert parley.done("upload", "otter.tar.gz").out == "otter\n"
    facts = parley.done("upload", "otter.tar.gz", "--json").json
    assert facts["hash"] == hashlib.sha256(content).hexdigest()
    file.write_bytes(parley.world.archive("another"))
    assert parley("upload", "otter.tar.gz").code == 6
    assert parley("upload", "missing.tar.gz").code == 2
    assert parley.done("upload", "otter.tar.gz", "--name", "another").out == "another\n"


def test_a_model_is_fetched_whole_and_checked(parley) -> None:
    content = parley.world.add_model("otter")
    assert parley.done("download", "otter").out == "otter.tar.gz\n"
    assert (parley.project / "otter.tar.gz").read_bytes() == content
    assert "already" in parley.done("download", "otter").err
    (parley.project / "otter.tar.gz").write_text("mine")
    assert parley("download", "otter").code == 6
    assert parley.read("otter.tar.gz") == "mine"
    facts = parley.done("download", "otter", "--overwrite", "--json").json
    assert (facts["sha256"], facts["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert parley("download", "none").code == 5
    assert [path.name for path in parley.project.iterdir()] == ["otter.tar.gz"]


def test_a_download_goes_on_where_the_connection_broke(with_fake) -> None:
    content = with_fake.world.add_model("otter")
    with_fake.world.cuts = [1000, 2000, 0, 100_000]
    with_fake.done("download", "otter")
    assert (with_fake.project / "otter.tar.gz").read_bytes() == content


def test_a_download_goes_on_in_the_next_run(with_fake) -> None:
    content = with_fake.world.add_model("otter")
    with_fake.world.cuts = [150_000, *[0] * download.TRIES]
    ended = with_fake("download", "otter")
    assert (ended.code, (with_fake.project / "otter.tar.gz").exists()) == (7, False)
    (part,) = with_fake.project.iterdir()
    assert 100_000 < part.stat().st_size <= 150_000
    with_fake.done("download", "otter")
    assert [path.name for path in with_fake.project.iterdir()] == ["otter.tar.gz"]
    assert (with_fake.project / "otter.tar.gz").read_bytes() == content


def test_a_download_that_comes_damaged_leaves_nothing(with_fake) -> None:
    with_fake.world.add_model("otter")
    digest = hashlib.sha256(with_fake.world.archive("otter")).hexdigest()
    (with_fake.project / f".otter.tar.gz.{digest[:12]}.part").write_bytes(b"x" * 1000)
    ended = with_fake("download", "otter")
    assert (ended.code, "damaged" in ended.err, list(with_fake.project.iterdir())) == (1, True, [])


def test_an_interrupted_download_leaves_nothing(with_fake) -> None:
    with_fake.world.add_model("otter")
    with_fake.world.cuts = [1000, 0]
    with_fake.interrupted_while_waiting()
    ended = with_fake("download", "otter")
    assert (ended.code, ended.err, list(with_fake.project.iterdir())) == (130, "parley: Interrupted.\n", [])


def test_an_upload_goes_on_where_the_connection_broke(with_fake, monkeypatch) -> None:
    monkeypatch.setattr(upload, "PART", 60_000)
    content = with_fake.world.archive("otter")
    (with_fake.project / "otter.tar.gz").write_bytes(content)
    with_fake.world.upload_cuts = [5000, 1000, 0, 20_000]
    assert with_fake.done("upload", "otter.tar.gz").out == "otter\n"
    assert with_fake.world.models["otter"] == content


def test_an_upload_goes_on_in_the_next_run(with_fake) -> None:
    content = with_fake.world.archive("otter")
    (with_fake.project / "otter.tar.gz").write_bytes(content)
    with_fake.world.upload_cuts = [9000, 150_000, *[0] * upload.TRIES]
    assert with_fake("upload", "otter.tar.gz").code == 7
    assert len(with_fake.world.uploads["1"]["content"]) == 159_000
    with_fake.done("upload", "otter.tar.gz")
    assert (with_fake.world.models["otter"], with_fake.world.uploads) == (content, {})


def test_an_upload_that_is_killed_goes_on_where_it_was(with_fake, monkeypatch) -> None:
    content = with_fake.world.archive("otter")
    (with_fake.project / "otter.tar.gz").write_bytes(content)
    with_fake.world.upload_cuts = [150_000]
    with monkeypatch.context() as killed:
        killed.setattr(upload, "_offset_after", _is_killed)
        with pytest.raises(SystemError):
            with_fake("upload", "otter.tar.gz")
    assert len(with_fake.world.uploads["1"]["content"]) == 150_000
    with_fake.done("upload", "otter.tar.gz")
    assert (with_fake.world.models["otter"], with_fake.world.uploads) == (content, {})


def test_a_file_that_shrinks_while_it_is_sent(with_fake, monkeypatch) -> None:
    file = with_fake.project / "otter.tar.gz"
    file.write_bytes(with_fake.world.archive("otter"))
    begin = upload._begin

    def shrink(*facts: object) -> object:
        begun = begin(*facts)
        file.write_bytes(b"short")
        return begun

    monkeypatch.setattr(upload, "_begin", shrink)
    ended = with_fake("upload", "otter.tar.gz")
    assert (ended.code, ended.err) == (1, "parley: otter.tar.gz changed while it was sent. Start again.\n")
    assert (with_fake.world.uploads, with_fake.world.models) == ({}, {})


def test_an_upload_that_comes_damaged_is_taken_back(with_fake) -> None:
    (with_fake.project / "otter.tar.gz").write_bytes(with_fake.world.archive("otter"))
    with_fake.world.damages = True
    ended = with_fake("upload", "otter.tar.gz")
    assert (ended.code, "arrived damaged" in ended.err, with_fake.world.models) == (1, True, {})


def test_a_file_that_was_changed_is_sent_anew(with_fake) -> None:
    file = with_fake.project / "otter.tar.gz"
    file.write_bytes(with_fake.world.archive("otter"))
    with_fake.world.upload_cuts = [9000, *[0] * upload.TRIES]
    assert with_fake("upload", "otter.tar.gz").code == 7
    size = file.stat().st_size
    file.write_bytes(with_fake.world.archive("other"))
    assert file.stat().st_size == size
    with_fake.done("upload", "otter.tar.gz")
    assert with_fake.world.models["otter"] == file.read_bytes()


def test_a_proxy_that_takes_no_long_bodies_gets_short_ones(with_fake, monkeypatch) -> None:
    monkeypatch.setattr(upload, "PART", 60_000)
    content = with_fake.world.archive("otter")
    (with_fake.project / "otter.tar.gz").write_bytes(content)
    with_fake.world.longest_body = 60_000
    with_fake.done("upload", "otter.tar.gz")
    assert with_fake.world.models["otter"] == content
    with_fake.world.longest_body = 50_000
    ended = with_fake("upload", "otter.tar.gz", "--name", "again")
    assert (ended.code != 0, "again" in with_fake.world.models) == (True, False)


def test_an_upload_waits_while_too_many_files_come_in(with_fake) -> None:
    content = with_fake.world.archive("otter")
    (with_fake.project / "otter.tar.gz").write_bytes(content)
    with_fake.world.busy = 12
    with_fake.done("upload", "otter.tar.gz")
    assert with_fake.world.models["otter"] == content


def _is_killed(*facts: object) -> int:
    raise SystemError


@pytest.mark.parametrize("cuts", [[], [1000]])
def test_an_upload_whose_last_answer_was_lost_is_found_again(with_fake, cuts) -> None:
    (with_fake.project / "otter.tar.gz").write_bytes(with_fake.world.archive("otter"))
    with_fake.world.loses_answer = True
    with_fake.world.upload_cuts = cuts
    assert with_fake.done("upload", "otter.tar.gz").out == "otter\n"


def test_an_interrupted_upload_leaves_nothing(with_fake) -> None:
    (with_fake.project / "otter.tar.gz").write_bytes(with_fake.world.archive("otter"))
    with_fake.world.upload_cuts = [1000, 1000]
    with_fake.interrupted_while_waiting()
    assert with_fake("upload", "otter.tar.gz").code == 130
    assert (with_fake.world.uploads, with_fake.world.models) == ({}, {})


def test_a_download_and_an_upload_wait_for_a_parley_that_restarts(with_fake, monkeypatch) -> None:
    content = with_fake.world.add_model("otter")
    with_fake.world.restarts_after = 1  # while the file is asked for
    with_fake.done("download", "otter")
    assert (with_fake.project / "otter.tar.gz").read_bytes() == content
    with_fake.world.upload_cuts = [9000]
    with_fake.world.restarts_after = 3  # when it is asked how much has arrived
    with_fake.done("upload", "otter.tar.gz", "--name", "again")
    assert with_fake.world.models["again"] == content
