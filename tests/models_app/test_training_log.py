"""What is kept of a log, whoever is killed, and how it is read: by numbered lines, around one of them, by words."""

import pytest
from django.db import OperationalError
from django.test import Client

from models_app.models import TrainingJob, TrainingLog
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.training import folders, keeping_log, reading_log
from models_app.training.keeping_log import KeptLog
from studio.text_search import Line
from tests.factories import make_person
from tests.models_app.test_training_run import FILES

pytestmark = pytest.mark.django_db
LINES = [f"line {number}\n" for number in range(1, 201)]


@pytest.fixture
def job(settings, tmp_path, monkeypatch) -> TrainingJob:
    settings.JOBS_DIR = tmp_path / "jobs"
    monkeypatch.setattr(keeping_log, "KEPT", 200)
    monkeypatch.setattr(keeping_log, "TAIL", 100)
    assistant = add_assistant(actor=None, slug="cafe", title="Café")
    save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)
    training.request_training(actor=None, assistant=assistant)
    claimed = training.claim(worker="w", versions=training.wanted_versions())
    assert claimed is not None
    return claimed


def text(job: TrainingJob) -> str:
    return reading_log.whole(job)


def flushed(job: TrainingJob, pieces: list[str]) -> KeptLog:
    log = KeptLog(job)
    for piece in pieces:
        log.add(piece)
        log.flush()
    return log


# --- Kept --------------------------------------------------------------------------------------------------------------


def test_a_log_that_fits_is_kept_whole(job):
    flushed(job, LINES[:10])
    assert text(job) == "".join(LINES[:10])


@pytest.mark.parametrize("pieces", [LINES, ["".join(LINES)], ["".join(LINES[:25]), "".join(LINES[25:])]])
def test_an_endless_one_keeps_its_head_and_its_end_and_says_how_much_is_left_out(job, pieces):
    flushed(job, pieces)
    kept = text(job).splitlines(keepends=True)
    gap = next(at for at, line in enumerate(kept) if line.startswith("…"))
    assert kept[:gap] == LINES[:gap]
    assert 150 < len("".join(kept[:gap])) <= 200
    assert kept[gap] == f"… {200 - len(kept) + 1} lines left out …\n"
    assert kept[gap + 1 :] == LINES[gap - len(kept) + 1 :]
    assert len("".join(kept[gap + 1 :])) > 90


def test_at_every_moment_its_end_is_kept(job):
    """So it is whenever the worker is killed."""
    log = KeptLog(job)
    for line in LINES:
        log.add(line)
        log.flush()
        assert text(job).endswith(line)
    assert TrainingLog.objects.count() < 45


def test_one_long_line_is_cut_where_it_must_be(job):
    flushed(job, ["a" * 500 + "the end\n"])
    assert text(job).startswith("a" * 200)
    assert text(job).endswith("the end\n")


def test_while_the_database_is_away_it_waits_and_does_not_grow_without_end(job, monkeypatch):
    def away(*_: object) -> None:
        raise OperationalError

    log = KeptLog(job)
    with monkeypatch.context() as patch:
        patch.setattr(training, "append_log", away)
        for line in LINES * 10:
            log.add(line)
            with pytest.raises(OperationalError):
                log.flush()
    assert len(log._head) + len(log._rest) <= 400
    log.flush()
    assert text(job).startswith(LINES[0])
    assert text(job).endswith(LINES[-1])


def left_behind(job: TrainingJob, written: str) -> None:
    folder = folders.folder_of(job)
    folder.mkdir(parents=True)
    (folder / "rasa-1.log").write_text(written)
    TrainingJob.objects.filter(pk=job.pk).update(state=TrainingJob.State.QUEUED)


@pytest.mark.parametrize("taken", [0, 7, 10, 60])
def test_what_a_killed_worker_had_not_come_to_is_kept_too(job, monkeypatch, taken):
    monkeypatch.setattr(keeping_log, "TAIL", 10_000)
    flushed(job, LINES[:taken])
    left_behind(job, "".join(LINES[:60]) + "killed in the mid")
    folders.sweep()
    assert text(job).replace("… 0 lines left out …\n", "") == "".join(LINES[:60]) + "killed in the mid"
    assert not folders.folder_of(job).exists()


def test_of_much_that_it_had_not_come_to_the_end(job):
    left_behind(job, "".join(LINES))
    folders.sweep()
    assert text(job).endswith("".join(LINES[-10:]))
    assert len(text(job)) <= 200


def test_a_later_attempt_is_told_from_the_one_before_whichever_was_written_first(job):
    job.attempt = 2
    job.save()
    training.append_log(job, "two\n")
    job.attempt = 1
    training.rescue_log(job, "one")
    assert text(job) == "one\n── attempt 2 ──\ntwo\n"


def test_of_a_progress_bar_only_the_last_state_stays():
    assert reading_log.readable("Epochs: 1%\rEpochs: 50%\rEpochs: 100%\ndone\r\n") == "Epochs: 100%\ndone\n"


# --- Read --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def long(job, monkeypatch) -> TrainingJob:
    monkeypatch.setattr(reading_log, "SHOWN", 300)
    monkeypatch.setattr(reading_log, "BEFORE", 3)
    monkeypatch.setattr(keeping_log, "KEPT", 10_000)
    flushed(job, LINES)
    return job


def numbers(page: reading_log.LogPage) -> list[int]:
    return [line.number for line in page.lines]


def test_a_page_begins_with_the_end(long):
    page = reading_log.page(long)
    assert numbers(page)[-1] == 200
    assert page.lines[-1].text == "line 200"
    assert (page.first, page.end, page.following) == (False, True, 201)


def test_or_around_the_line_that_was_asked_for(long):
    page = reading_log.page(long, 120)
    assert numbers(page)[:4] == [117, 118, 119, 120]
    assert (page.first, page.end) == (False, False)
    assert numbers(reading_log.page(long, 1))[0] == 1
    assert numbers(reading_log.page(long, 9999))[-1] == 200


def test_lines_after_those_left_out_have_the_numbers_they_had(job):
    flushed(job, LINES)
    page = reading_log.page(job)
    assert page.lines[-1] == Line(200, "line 200")
    assert 0 in numbers(page)
    assert page.following == 201


def test_what_comes_later_is_numbered_on(job):
    flushed(job, LINES[:3])
    first = reading_log.page(job)
    training.append_log(job, "more\nand more\n")
    later = reading_log.after(job, first.last, first.following)
    assert [(line.number, line.text) for line in later.lines] == [(4, "more"), (5, "and more")]
    assert reading_log.after(job, later.last, later.following) == reading_log.LogPage([], later.last, 6)


def test_words_are_found_large_and_small_and_as_they_stand(long):
    found = reading_log.search(long, "LINE 12")
    assert [line.number for line in found.lines] == [12, *range(120, 130)]
    assert found.lines[0].found == (("line 12", True),)
    assert found.lines[1].found == (("line 12", True), ("0", False))
    assert reading_log.search(long, "line .").total == 0


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_person("admin"))
    return client


def shown(admin: Client, query: str) -> str:
    return admin.get(f"/a/cafe/training/1{query}").content.decode()


def test_the_page_finds_words_without_javascript_and_leads_to_their_lines(admin, long):
    html = shown(admin, "?q=line+12")
    assert "11 lines with “line 12”" in html
    assert 'href="/a/cafe/training/1?line=120#L120"' in html
    assert "<mark>line 12</mark>0" in html
    assert "after=" not in html  # the log on this page does not grow
    html = shown(admin, "?line=120")
    assert 'id="L120"' in html
    assert 'id="L200"' not in html
    assert "Show the end" in html


def test_words_that_no_line_holds_and_words_with_markup(admin, long):
    html = shown(admin, "?q=%3Cb%3E")
    assert "No line holds “&lt;b&gt;”." in html
    assert shown(admin, "?line=x&q=")
