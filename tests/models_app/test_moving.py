"""Moving artifacts between two stores. With a real S3 server, and killed in the middle: tests/stack/test_s3_moving.py."""

import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from models_app.management.progress import line_of
from models_app.models import Artifact, Assistant, Model
from models_app.services import moving
from models_app.services.models import delete_model
from models_app.services.moving import Outcome, Progress, look_ahead, move_artifacts
from models_app.storage import MovingStore
from models_app.storage.local import LocalStore
from studio.errors import Conflict
from tests.factories import make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def stores(artifacts_dir: Path, tmp_path: Path) -> MovingStore:
    return MovingStore(new=LocalStore(tmp_path / "new"), old=LocalStore(artifacts_dir))


@pytest.fixture
def models(assistant: Assistant) -> list[Model]:
    return [make_model(assistant) for _ in range(3)]


def move(stores: MovingStore, *, delete_source: bool = False) -> Outcome:
    return move_artifacts(stores, delete_source=delete_source, tell=lambda _progress: None)


def bytes_of(store: LocalStore, model: Model) -> bytes:
    with store.open(model.artifact_id) as file:
        return file.read()


def is_whole(store, model: Model) -> bool:
    return hashlib.sha256(bytes_of(store, model)).hexdigest() == model.artifact_id


def damage(store: LocalStore, model: Model) -> None:
    """Another byte in the middle, as a bad disk makes it."""
    path = store._path(model.artifact_id)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


class TestReadingFromBoth:
    def test_what_is_in_the_old_store_alone_is_read_from_it(self, stores, models):
        model = models[0]
        assert is_whole(stores, model)
        assert stores.exists(model.artifact_id) and stores.size(model.artifact_id) == model.size

    def test_what_comes_is_kept_in_the_new_one(self, stores, models):
        kept = stores.put(io.BytesIO(b"news"))
        assert stores.new.exists(kept.sha256) and not stores.old.exists(kept.sha256)

    def test_what_is_deleted_is_gone_from_both(self, stores, models):
        move(stores)
        stores.delete(models[0].artifact_id)
        assert not stores.new.exists(models[0].artifact_id) and not stores.old.exists(models[0].artifact_id)


class TestMoving:
    def test_everything_is_copied_and_nothing_is_deleted(self, stores, models):
        done = move(stores)
        assert (done.total, done.moved, done.deleted) == (3, 3, 0)
        for model in models:
            assert is_whole(stores.new, model) and is_whole(stores.old, model)

    def test_rows_say_where_bytes_were_read_back(self, stores, models):
        move(stores)
        assert set(Artifact.objects.values_list("checked_in", "problem")) == {(stores.new.label, "")}

    def test_a_second_run_finds_everything_there(self, stores, models):
        move(stores)
        again = move(stores)
        assert (again.moved, again.there) == (0, 3)

    def test_what_lies_there_and_was_never_read_back_is_read_first(self, stores, models):
        """A run that was killed between the two leaves it so."""
        move(stores)
        damage(stores.new, models[0])
        Artifact.objects.update(checked_at=None)
        done = move(stores)
        assert done.moved == 3
        assert is_whole(stores.new, models[0])

    def test_a_copy_of_another_size_is_made_again(self, stores, models):
        move(stores)
        stores.new._path(models[0].artifact_id).write_bytes(b"half")
        assert move(stores).moved == 1
        assert is_whole(stores.new, models[0])

    def test_the_old_store_is_emptied_when_that_is_asked_for(self, stores, models):
        done = move(stores, delete_source=True)
        assert (done.moved, done.deleted) == (3, 3)
        for model in models:
            assert is_whole(stores.new, model) and not stores.old.exists(model.artifact_id)

    def test_so_it_is_after_a_run_that_deleted_nothing(self, stores, models):
        move(stores)
        done = move(stores, delete_source=True)
        assert (done.moved, done.there, done.deleted) == (0, 3, 3)

    def test_what_was_read_back_long_ago_is_read_again_before_its_only_other_copy_goes(self, stores, models):
        move(stores)
        Artifact.objects.update(checked_at=timezone.now() - timedelta(days=2))
        damage(stores.new, models[0])
        done = move(stores, delete_source=True)
        assert (done.moved, done.deleted) == (3, 3)
        assert all(is_whole(stores.new, model) for model in models)

    def test_what_is_damaged_is_named_and_never_deleted(self, stores, models):
        damage(stores.old, models[0])
        done = move(stores, delete_source=True)
        assert (done.damaged, done.deleted) == ([models[0].artifact_id], 2)
        assert stores.old.exists(models[0].artifact_id) and not stores.new.exists(models[0].artifact_id)

    def test_what_is_nowhere_is_named(self, stores, models):
        stores.old.delete(models[0].artifact_id)
        assert move(stores).missing == [models[0].artifact_id]

    def test_a_model_deleted_while_it_is_copied_leaves_no_bytes(self, stores, models, monkeypatch):
        def deleted_meanwhile(place, sha256, *rest):
            if place is stores.new and stores.new.exists(sha256):
                Model.objects.filter(artifact=sha256).update(deleted_at=timezone.now())
                Artifact.objects.filter(sha256=sha256).update(freed_at=timezone.now())
            return problem_of(place, sha256, *rest)

        problem_of = moving.problem_of
        monkeypatch.setattr(moving, "problem_of", deleted_meanwhile)
        move(stores)
        for model in models:
            assert not stores.exists(model.artifact_id)

    def test_one_that_is_deleted_before_is_left_alone(self, stores, models, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            delete_model(actor=None, model=models[0])
        assert move(stores).total == 2

    def test_progress_never_goes_back_and_ends_with_all(self, stores, models):
        told: list[Progress] = []
        move_artifacts(stores, delete_source=False, tell=told.append)
        done = [one.done_bytes for one in told]
        assert done == sorted(done)
        assert (told[-1].done, told[-1].done_bytes) == (3, told[-1].total_bytes)
        assert {one.step for one in told} == {"copying", "sending", "reading back", ""}

    @pytest.mark.django_db(transaction=True)
    def test_a_second_move_is_refused(self, stores, models):
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", [moving.MOVING])
            with pytest.raises(Conflict, match="moved already"):
                move(stores)
        finally:
            other.close()


class TestLookingAhead:
    def test_it_says_what_would_be_done_and_does_nothing(self, stores, models):
        ahead = look_ahead(stores)
        assert (ahead.total, ahead.moved, ahead.there, ahead.deleted) == (3, 3, 0, 3)
        assert ahead.moved_bytes == sum(model.size for model in models)
        assert not stores.new.exists(models[0].artifact_id)

    def test_what_is_moved_and_what_is_nowhere_is_told_apart(self, stores, models):
        move(stores)
        stores.delete(models[0].artifact_id)
        ahead = look_ahead(stores)
        assert (ahead.there, ahead.moved, ahead.missing) == (2, 0, [models[0].artifact_id])


def test_the_command_says_which_setting_is_missing(db):
    with pytest.raises(CommandError, match="PARLEY_ARTIFACTS_MOVE is not set"):
        call_command("move_artifacts")


def test_a_line_of_progress():
    mb = 1024**2
    line = line_of(2, 4, 200 * mb, 400 * mb, 10, step="sending")
    assert line == "2 of 4, 200 MB of 400 MB, 20 MB a second, 10 s left, sending"
    assert line_of(2, 4, 200 * mb, 400 * mb, 10, known_bytes=100 * mb).endswith("10 MB a second, 20 s left")
