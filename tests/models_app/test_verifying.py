"""`manage.py verify_artifacts`: against a folder, and against a real S3 server."""

import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from models_app import health
from models_app.models import Artifact, Assistant, Model
from models_app.services import artifact_checks, artifacts, verifying
from models_app.services.models import add_model
from models_app.services.tags import set_tag
from models_app.storage import StoreFailed, store
from studio.errors import Conflict
from tests.factories import make_model, make_person
from tests.models_app.archives import model_archive

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.stack)])
def where(request: pytest.FixtureRequest, settings, artifacts_dir: Path) -> Path:
    """The folder that holds the files: our own, or that of the S3 server."""
    if request.param == "folder":
        return artifacts_dir
    place, server = request.getfixturevalue("s3_place"), request.getfixturevalue("s3")
    settings.S3_BUCKET, settings.S3_ENDPOINT = place.bucket, place.endpoint
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = place.access_key, place.secret_key
    return server.data / place.bucket


@pytest.fixture
def models(where: Path, assistant: Assistant) -> list[Model]:
    return [make_model(assistant, name) for name in ("otter", "heron", "beaver")]


def damage(where: Path, model: Model) -> None:
    """Another byte in the middle, as a bad disk makes it."""
    with (where / model.artifact_id[:2] / model.artifact_id).open("r+b") as file:
        file.seek(model.size // 2)
        byte = file.read(1)
        file.seek(model.size // 2)
        file.write(bytes([byte[0] ^ 1]))


def verify(since=None) -> verifying.Outcome:
    return verifying.verify_artifacts(since=since, tell=lambda _progress: None)


def test_what_is_whole_is_said_to_be(models, capsys):
    call_command("verify_artifacts")
    assert capsys.readouterr().out.startswith("3 are whole")
    assert set(Artifact.objects.values_list("problem", "checked_in")) == {("", store().label)}


def test_what_is_damaged_or_missing_is_named_with_its_models_and_what_to_do(where, models, capsys):
    set_tag(actor=None, model=models[0], name="best")
    damage(where, models[0])
    store().delete(models[1].artifact_id)
    with pytest.raises(CommandError, match="2 artifacts are not whole") as raised:
        call_command("verify_artifacts")
    assert raised.value.returncode == 2
    said = capsys.readouterr().err
    assert f"{models[0].artifact_id} is damaged. Upload the same file again" in said
    assert "cafe: otter (best)" in said
    assert f"{models[1].artifact_id} is missing." in said and "cafe: heron" in said


def test_a_file_of_another_length_is_damaged(where, models):
    path = where / models[0].artifact_id[:2] / models[0].artifact_id
    os.truncate(path, models[0].size - 1)
    assert verify().problems == {models[0].artifact_id: "damaged"}


def test_the_same_file_uploaded_again_mends_what_is_damaged(where, models, assistant):
    damage(where, models[0])
    assert verify().problems
    content = model_archive(model_id="otter")
    added = add_model(
        actor=None, assistant=assistant, source=io.BytesIO(content), file_name="otter.tar.gz", origin="uploaded"
    )
    assert added.existed
    assert verify().problems == {}
    with store().open(models[0].artifact_id) as file:
        assert file.read() == content


def test_bytes_of_no_model_are_told_and_no_failure(where, models, monkeypatch, capsys):
    stored = store().put(io.BytesIO(b"of nobody"))
    monkeypatch.setattr(artifacts, "STRAY_AFTER", timedelta(seconds=-5))
    call_command("verify_artifacts")
    assert f"{stored.sha256} belongs to no model" in capsys.readouterr().out


def test_young_bytes_without_a_model_may_be_an_upload(where, models):
    store().put(io.BytesIO(b"of somebody soon"))
    assert verify().strays == []


def test_a_run_that_was_stopped_goes_on(models):
    verify()
    Artifact.objects.filter(pk=models[0].artifact_id).update(checked_at=timezone.now() - timedelta(hours=5))
    found = verify(since=timezone.now() - timedelta(hours=1))
    assert (found.whole, found.left_out) == (1, 2)


def test_what_was_not_whole_is_read_again_however_lately(where, models):
    damage(where, models[0])
    verify()
    assert verify(since=timezone.now() - timedelta(hours=1)).problems == {models[0].artifact_id: "damaged"}


def test_a_model_deleted_while_it_is_read_is_no_problem(models, monkeypatch):
    def deleted_meanwhile(*_arguments):
        Artifact.objects.update(freed_at=timezone.now())
        return Artifact.Problem.MISSING

    monkeypatch.setattr(verifying, "problem_of", deleted_meanwhile)
    assert verify().problems == {}


def test_damage_counts_when_it_is_read_twice(models, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(artifact_checks, "_is_whole", lambda *_: next(answers))
    sha256 = models[0].artifact_id
    assert artifact_checks.problem_of(store(), sha256, models[0].size, lambda _read: None) == ""


def test_a_store_that_is_away_is_no_damage(models, monkeypatch):
    class Away:
        label = "away"

        def open(self, sha256: str, start: int = 0):
            raise StoreFailed("The artifact store cannot be reached.", code="store-unreachable")

    monkeypatch.setattr(verifying, "store", Away)
    with pytest.raises(CommandError, match=r"cannot be reached\. Run this again"):
        call_command("verify_artifacts")
    assert set(Artifact.objects.values_list("problem", flat=True)) == {""}


@pytest.mark.django_db(transaction=True)
def test_a_second_one_is_refused():
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [artifact_checks.VERIFYING])
        with pytest.raises(Conflict, match="verified already"):
            verify()
    finally:
        other.close()


def test_readyz_and_the_models_page_tell(where, models, client, monkeypatch):
    monkeypatch.setattr(health, "STORE_SECONDS", 0)
    damage(where, models[0])
    verify()
    part = health.artifact_store()
    assert part.status == "degraded" and "1 model file is damaged or missing" in part.message
    client.force_login(make_person("admin"))
    page = client.get(reverse("models:detail", args=["cafe", "otter"]))
    assert "The file is damaged" in page.content.decode()
