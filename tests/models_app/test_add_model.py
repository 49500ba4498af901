"""Adding models: what is kept, and that a refusal leaves neither a row nor a file."""

import hashlib
import io
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from models_app.models import Artifact, Assistant, Model
from models_app.services import artifacts
from models_app.services.models import add_model, delete_model, name_of, warnings_of
from models_app.storage import store
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.factories import make_assistant, make_model, make_person
from tests.models_app.archives import model_archive
from tests.models_app.conftest import files_in

ARCHIVE = model_archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


def test_what_the_archive_says_is_kept(assistant: Assistant):
    ann = make_person("admin", username="ann")
    added = add(assistant, ARCHIVE, "brisk-otter.tar.gz", actor=ann)

    model = Model.objects.get()
    assert added.model == model
    assert not added.existed
    assert (model.name, model.artifact_id, model.size) == ("brisk-otter", SHA256, len(ARCHIVE))
    assert model.trained_at == datetime(2025, 3, 1, 10, 20, 30, 500000, tzinfo=UTC)
    assert (model.rasa_version, model.rasa_assistant_id, model.language) == ("3.6.21", "cafe-lumen", "en")
    assert (model.training_type, model.project_fingerprint) == ("both", "c0ffee")
    assert set(model.domain["intents"]) == {"ask_price", "greet"}
    assert (model.created_by, model.created_by_label, model.origin) == (ann, "ann", "uploaded")
    with store().open(SHA256) as kept:
        assert kept.read() == ARCHIVE


def test_it_is_audited(assistant: Assistant):
    add(assistant, ARCHIVE, actor_label="manage.py import_models")
    event = AuditEvent.objects.get(action=Action.MODEL_ADDED)
    assert (event.actor_label, event.target_label) == ("manage.py import_models", "otter")
    assert event.after == {"sha256": SHA256, "size": len(ARCHIVE), "origin": "uploaded"}


def test_same_name_and_same_bytes_show_the_existing_model(assistant: Assistant):
    first = add(assistant, ARCHIVE)
    second = add(assistant, ARCHIVE)
    assert second.existed
    assert second.model == first.model
    assert Model.objects.count() == 1


def test_same_name_and_other_bytes_ask_for_another_name(assistant: Assistant, artifacts_dir: Path):
    add(assistant, ARCHIVE)
    with pytest.raises(Conflict, match="Choose another name"):
        add(assistant, model_archive(language="de"))
    assert Model.objects.count() == 1
    assert len(files_in(artifacts_dir)) == 1


def test_the_same_bytes_under_two_names_share_one_artifact(assistant: Assistant, artifacts_dir: Path):
    add(assistant, ARCHIVE, "otter.tar.gz")
    add(assistant, ARCHIVE, "heron.tar.gz")
    add(make_assistant(), ARCHIVE, "otter.tar.gz")
    assert Model.objects.count() == 3
    assert Artifact.objects.count() == 1
    assert len(files_in(artifacts_dir)) == 1


def test_a_deleted_models_name_is_free_again(assistant: Assistant):
    delete_model(actor=None, model=add(assistant, ARCHIVE).model)
    assert not add(assistant, model_archive(language="de")).existed


@pytest.mark.parametrize(
    "file_name", ["tags.tar.gz", "jobs.tar.gz", "model.zip", ".tar.gz", "a b.tar.gz", "../x.tar.gz", "é.tar.gz"]
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_read(assistant: Assistant, file_name: str):
    source = io.BytesIO(ARCHIVE)
    with pytest.raises(Invalid):
        add_model(actor=None, assistant=assistant, source=source, file_name=file_name, origin="uploaded")
    assert source.tell() == 0


def test_a_name_may_hold_dots_and_begin_with_a_digit():
    assert name_of("20261121-141203.v1_brisk-otter.tar.gz") == "20261121-141203.v1_brisk-otter"


def test_another_checksum_than_announced_is_refused(assistant: Assistant, artifacts_dir: Path):
    with pytest.raises(Invalid, match="damaged"):
        add(assistant, ARCHIVE, checksum="0" * 64)
    assert files_in(artifacts_dir) == []
    assert not add(assistant, ARCHIVE, checksum=SHA256.upper()).existed


def test_an_assistant_that_was_deleted_takes_no_model(assistant: Assistant, artifacts_dir: Path):
    Assistant.objects.update(deleted_at=datetime.now(UTC))
    with pytest.raises(Conflict, match="has been deleted"):
        add(assistant, ARCHIVE)
    assert files_in(artifacts_dir) == []


def test_a_database_error_takes_the_bytes_away_again(
    assistant: Assistant, artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("models_app.services.models.record", failing)
    with pytest.raises(RuntimeError, match="the audit is away"):
        add(assistant, ARCHIVE)
    assert files_in(artifacts_dir) == []
    assert not Model.objects.exists()


def test_an_error_leaves_the_bytes_that_another_model_needs(assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    add(assistant, ARCHIVE, "otter.tar.gz")
    monkeypatch.setattr("models_app.services.models.record", failing)
    with pytest.raises(RuntimeError):
        add(assistant, ARCHIVE, "heron.tar.gz")
    assert store().exists(SHA256)


def test_another_assistant_id_than_before_is_a_warning(assistant: Assistant):
    assert add(assistant, ARCHIVE, "first.tar.gz").warnings == []
    added = add(assistant, model_archive(assistant_id="hotel"), "second.tar.gz")
    assert len(added.warnings) == 1
    assert "“hotel”" in added.warnings[0]
    assert "“cafe-lumen”" in added.warnings[0]


def test_no_assistant_id_is_no_warning(assistant: Assistant):
    add(assistant, ARCHIVE, "first.tar.gz")
    assert add(assistant, model_archive(without=("assistant_id",)), "second.tar.gz").warnings == []


def test_the_first_models_warn_of_nothing_later(assistant: Assistant):
    first = add(assistant, ARCHIVE, "first.tar.gz").model
    add(assistant, model_archive(assistant_id="hotel"), "second.tar.gz")
    assert warnings_of(first) == []


def test_deleting_frees_the_bytes_once_nobody_needs_them(assistant: Assistant, django_capture_on_commit_callbacks):
    otter = add(assistant, ARCHIVE, "otter.tar.gz").model
    heron = add(assistant, ARCHIVE, "heron.tar.gz").model

    with django_capture_on_commit_callbacks(execute=True):
        delete_model(actor=None, model=otter)
    assert store().exists(SHA256)

    with django_capture_on_commit_callbacks(execute=True):
        delete_model(actor=None, model=heron)
    assert not store().exists(SHA256)
    assert Artifact.objects.get().freed_at is not None
    assert Model.objects.count() == 2  # rows stay for history


def test_freed_bytes_that_come_again_are_kept_again(assistant: Assistant, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        delete_model(actor=None, model=add(assistant, ARCHIVE).model)
    add(assistant, ARCHIVE)
    assert store().exists(SHA256)
    assert Artifact.objects.get().freed_at is None


def test_deleting_twice_says_so(assistant: Assistant):
    model = make_model(assistant)
    delete_model(actor=None, model=model)
    with pytest.raises(Conflict, match="already"):
        delete_model(actor=None, model=model)


def test_sweeping_mends_what_a_crash_left_between_two_steps(assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    used = make_model(assistant)
    store().put(io.BytesIO(b"bytes without a row"))
    unused = make_model(assistant)
    Model.objects.filter(pk=unused.pk).update(deleted_at=datetime.now(UTC))
    monkeypatch.setattr(artifacts, "STRAY_AFTER", -artifacts.STRAY_AFTER)

    artifacts.sweep()

    assert store().exists(used.artifact_id)
    assert not store().exists(hashlib.sha256(b"bytes without a row").hexdigest())
    assert not store().exists(unused.artifact_id)
    assert Artifact.objects.get(pk=unused.artifact_id).freed_at is not None


def test_sweeping_leaves_young_bytes_alone(db: None):
    sha256 = store().put(io.BytesIO(b"of an upload whose row is not committed yet")).sha256
    artifacts.sweep()
    assert store().exists(sha256)


@pytest.mark.django_db(transaction=True)
def test_the_same_upload_ten_times_at_once_is_one_model():
    assistant = make_assistant()
    outcomes = at_once(10, lambda number: add(assistant, ARCHIVE).existed)
    assert sorted(outcomes) == [False] + [True] * 9
    assert Model.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_deleting_and_uploading_the_same_bytes_at_once_never_loses_them():
    assistant = make_assistant()

    def turn(number: int) -> None:
        for repeat in range(8):
            model = add(assistant, ARCHIVE, f"model-{number}-{repeat}.tar.gz").model
            assert store().exists(SHA256)
            delete_model(actor=None, model=model)

    at_once(4, turn)
    assert not store().exists(SHA256)
    add(assistant, ARCHIVE)
    assert store().exists(SHA256)


class Deleted:
    """The store, where a deletion of the same bytes comes between an upload's keeping and its row."""

    def __init__(self) -> None:
        self.kept = 0

    def __getattr__(self, name: str) -> object:
        return getattr(store(), name)

    def keep(self, staged: object) -> object:
        stored = store().keep(staged)
        self.kept += 1
        if self.kept == 1:
            store().delete(SHA256)
        return stored


def test_bytes_deleted_between_keeping_and_the_row_are_kept_again(assistant: Assistant, monkeypatch):
    with_deletion = Deleted()
    monkeypatch.setattr(artifacts, "store", lambda: with_deletion)
    model = add(assistant, ARCHIVE).model
    assert with_deletion.kept == 2
    assert store().exists(model.artifact_id)


@pytest.mark.django_db(transaction=True)
def test_nothing_of_the_database_is_held_while_bytes_are_sent(monkeypatch):
    held: list[object] = []

    class Sending(Deleted):
        def keep(self, staged: object) -> object:
            held.append(connection.connection)
            return store().keep(staged)

    monkeypatch.setattr(artifacts, "store", lambda: Sending())
    add(make_assistant(), ARCHIVE)
    assert held == [None]


def at_once(number: int, work) -> list[object]:
    """What `work(n)` returned in so many threads that begin together."""
    results: list[object] = []
    barrier = threading.Barrier(number)

    def run(n: int) -> None:
        try:
            barrier.wait()
            results.append(work(n))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == number, "a thread failed"
    return results


def add(assistant: Assistant, content: bytes, file_name: str = "otter.tar.gz", *, actor=None, **more):
    return add_model(
        actor=actor,
        assistant=assistant,
        source=io.BytesIO(content),
        file_name=file_name,
        origin=Model.Origin.UPLOADED,
        **more,
    )


def failing(*args: object, **kwargs: object) -> None:
    raise RuntimeError("the audit is away")
