"""Validation on the data pages: how it stands, findings beside their lines, and who sees what of it."""

import pytest
from django.test import Client

from models_app.data.check import Severity
from models_app.models import Assistant, Revision, TrainingJob
from models_app.services import validation
from models_app.services.revisions import save_revision
from models_app.validation.meaning import Found
from models_app.validation.places import Place
from studio.access.permissions import Permission
from tests.factories import make_person
from tests.models_app.test_data_pages import DATA, FILES, person_with, save

FOUND = [
    Found(Severity.ERROR, "The action 'x' is unknown.", "Add it.", (Place("data/rules.yml", 6),)),
    Found(Severity.WARNING, "Nobody knows where."),
    Found(Severity.WARNING, "The example 'hi' is twice.", "", (Place("data/nlu.yml", 5), Place("domain.yml", 3))),
]


@pytest.fixture
def revision(assistant: Assistant) -> Revision:
    return save_revision(actor=None, assistant=assistant, files=dict(FILES), message="Begin", parent_number=None)


@pytest.fixture
def admin(client: Client, revision: Revision) -> Client:
    client.force_login(make_person("admin", username="ana"))
    return client


@pytest.fixture
def validated(revision: Revision) -> TrainingJob:
    return end(validation.request_validation(actor=None, assistant=revision.assistant), FOUND)


def end(job: TrainingJob, found: list[Found]) -> TrainingJob:
    TrainingJob.objects.filter(pk=job.pk).update(state="training", attempt=1, rasa_version="3.6.21")
    job.refresh_from_db()
    validation.finish_validation(job, found)
    return job


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_data_that_nobody_validated_says_so_and_offers_it(admin: Client):
    page = text(admin, DATA)
    assert "Not validated yet" in page
    assert f'action="{DATA}validate"' in page


def test_validating_queues_a_job_and_the_banner_follows_it(admin: Client, revision: Revision):
    assert admin.post(f"{DATA}validate").url == DATA
    job = TrainingJob.objects.get()
    assert (job.kind, job.revision, job.requested_by_label) == ("validation", revision, "ana")
    assert 'hx-trigger="every 2s"' in text(admin, f"{DATA}validation")
    admin.post(f"{DATA}validate")  # the second tab
    assert TrainingJob.objects.count() == 1


def test_an_old_revision_is_validated_as_itself(admin: Client, assistant: Assistant, revision: Revision):
    save(assistant, data__nlu=FILES["data/nlu.yml"] + b"    - hey\n")
    assert admin.post(f"{DATA}validate?revision=1").url == f"{DATA}?revision=1"
    assert TrainingJob.objects.get().revision == revision


def test_findings_are_counted_listed_and_lead_to_their_lines(admin: Client, validated: TrainingJob):
    page = text(admin, DATA)
    assert "1 error, 2 warnings" in page
    assert "1 error</span>" in page
    found = text(admin, f"{DATA}findings")
    assert f'href="{DATA}file/data/rules.yml#L6"' in found
    assert f'href="{DATA}file/domain.yml#L3"' in found
    assert "Rasa names no place" in found


@pytest.mark.parametrize(
    ("query", "number"),
    [("severity=error", 1), ("severity=warning", 2), ("file=data/nlu.yml", 1), ("file=-", 1), ("file=none.yml", 0)],
)
def test_the_list_is_filtered_by_severity_and_file(admin: Client, validated: TrainingJob, query: str, number: int):
    assert text(admin, f"{DATA}findings?{query}").count('class="finding"') == number


def test_a_files_page_has_the_findings_below_their_lines(admin: Client, validated: TrainingJob):
    page = text(admin, f"{DATA}file/data/rules.yml")
    assert 'class="line line-error" id="L6"' in page
    assert "The action &#x27;x&#x27; is unknown." in page
    assert 'class="line line-warning" id="L3"' in text(admin, f"{DATA}file/domain.yml")


def test_a_change_is_not_validated_and_going_back_is(admin: Client, assistant: Assistant, validated: TrainingJob):
    save(assistant, data__nlu=FILES["data/nlu.yml"] + b"    - hey\n")
    assert "Not validated yet" in text(admin, DATA)
    save(assistant, data__nlu=FILES["data/nlu.yml"])
    assert "as the same files of revision 1" in text(admin, DATA)


def test_valid_data_says_so(admin: Client, revision: Revision):
    end(validation.request_validation(actor=None, assistant=revision.assistant), [])
    assert "Valid for Rasa 3.6.21" in text(admin, DATA)
    assert "Nothing found" in text(admin, f"{DATA}findings")


def test_a_validation_that_broke_is_told_until_another_ends(admin: Client, revision: Revision):
    job = validation.request_validation(actor=None, assistant=revision.assistant)
    TrainingJob.objects.filter(pk=job.pk).update(state="failed", message="It was killed.")
    assert "It was killed." in text(admin, DATA)
    end(validation.request_validation(actor=None, assistant=revision.assistant), [])
    assert "It was killed." not in text(admin, DATA)


def test_findings_of_files_that_one_may_not_see_are_counted_and_not_shown(client: Client, validated: TrainingJob):
    client.force_login(person_with(Permission.RESPONSES_VIEW))
    page = text(client, f"{DATA}findings")
    assert "3 findings are in files that you may not see" in page
    for said in ("The action", "Nobody knows", "The example"):
        assert said not in page
    assert "line-warning" not in text(client, f"{DATA}file/domain.yml")
    assert f'action="{DATA}validate"' not in page
    assert client.post(f"{DATA}validate").status_code == 403


def test_who_may_change_some_data_may_validate(client: Client, revision: Revision):
    client.force_login(person_with(Permission.NLU_VIEW, Permission.NLU_MODIFY))
    assert client.post(f"{DATA}validate").status_code == 302


def test_the_jobs_page_names_what_it_found(admin: Client, validated: TrainingJob):
    page = text(admin, f"/a/cafe/training/{validated.number}")
    assert "Validation 1" in page
    assert f'href="{DATA}findings"' in page


def test_a_message_is_shown_as_text(admin: Client, revision: Revision):
    job = validation.request_validation(actor=None, assistant=revision.assistant)
    end(job, [Found(Severity.ERROR, "<script>x</script>", "", (Place("domain.yml", 1),))])
    for address in (f"{DATA}findings", f"{DATA}file/domain.yml"):
        assert "<script>x" not in text(admin, address)


def test_no_more_than_a_thousand_are_kept_and_the_rest_is_told(admin: Client, revision: Revision, monkeypatch):
    monkeypatch.setattr(validation, "KEPT", 2)
    end(validation.request_validation(actor=None, assistant=revision.assistant), FOUND)
    assert "1 more is in the log alone" in text(admin, DATA)
