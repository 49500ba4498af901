"""Moving models between a folder and a real S3 server, killed in the middle, while pages and Rasa servers use them."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from environments.models import Environment
from models_app.models import Artifact, Model
from models_app.services.models import delete_model
from models_app.storage import FROM_S3, TO_S3, MovingStore, store
from models_app.storage.s3_client import Place
from tests.environments.polling import Poller
from tests.factories import environment_of, make_assistant, make_model, make_person
from tests.models_app.test_upload_live import database_url, large_archive
from tests.stack import proxy as proxies
from tests.stack.proxy import Proxy
from tests.stack.s3 import S3Server

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

MB = 1024 * 1024
SIZE = 20 * MB  # two parts


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    with proxies.before(s3.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def installation(s3_place: Place, proxy: Proxy, settings, redis_client, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path
    settings.S3_PREFIX, settings.S3_ENDPOINT = "models", f"http://127.0.0.1:{proxy.port}"
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = s3_place.access_key, s3_place.secret_key


@pytest.fixture
def production() -> Environment:
    return environment_of(make_assistant("default"))


@pytest.fixture(params=[TO_S3, FROM_S3])
def models(request: pytest.FixtureRequest, settings, s3_place: Place, production: Environment) -> list[Model]:
    """Four in the old store; then the move is set."""
    settings.S3_BUCKET = "" if request.param == TO_S3 else s3_place.bucket
    models = [make_model(production.assistant, content=large_archive(SIZE)) for _ in range(4)]
    settings.S3_BUCKET, settings.ARTIFACTS_MOVE = s3_place.bucket, request.param
    return models


@pytest.fixture
def person(client: Client) -> Client:
    client.force_login(make_person("admin"))
    return client


def command(*options: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        "PARLEY_ARTIFACTS": str(django_settings.ARTIFACTS_DIR),
        "PARLEY_ARTIFACTS_MOVE": django_settings.ARTIFACTS_MOVE,
        **{
            f"PARLEY_{name}": getattr(django_settings, name)
            for name in ("S3_BUCKET", "S3_PREFIX", "S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
        },
    }
    line = [sys.executable, "manage.py", "move_artifacts", *options]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def stores() -> MovingStore:
    found = store()
    assert isinstance(found, MovingStore)
    return found


def is_whole(place, model: Model) -> bool:
    with place.open(model.artifact_id) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.artifact_id


def kill_in_the_middle(proxy: Proxy, direction: str) -> int:
    """Of its second file; how many it had moved."""
    process = command()
    strike(proxy, direction, process.kill)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == -9, said
    proxy.change_up = proxy.change_down = bytes
    return Artifact.objects.exclude(checked_at=None).count()


def strike(proxy: Proxy, direction: str, act: Callable[[], object]) -> None:
    """Call `act` when one and a half files went by."""
    passed = 0

    def count(piece: bytes) -> bytes:
        nonlocal passed
        passed += len(piece)
        if passed > SIZE * 3 // 2:
            act()
        return piece

    if direction == TO_S3:
        proxy.change_up = count
    else:
        proxy.change_down = count


class TestKilledInTheMiddle:
    def test_the_next_run_goes_on(self, models, proxy, settings):
        moved = kill_in_the_middle(proxy, settings.ARTIFACTS_MOVE)
        assert 0 < moved < 4
        process = command()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert f"{4 - moved} moved, " in said and f"{moved} had been moved before" in said
        for model in models:
            assert is_whole(stores().new, model) and is_whole(stores().old, model)

    def test_meanwhile_models_are_read_uploaded_and_deleted(self, models, proxy, settings, person, client, production):
        from environments.services.promotion import promote

        promote(actor=None, environment=production, model=models[3])
        kill_in_the_middle(proxy, settings.ARTIFACTS_MOVE)
        for model in models:
            answer = person.get(reverse("models:download", args=["default", model.name]))
            content = b"".join(answer.streaming_content)
            assert hashlib.sha256(content).hexdigest() == model.artifact_id
        poller = Poller(client, production, "rasa-1")
        assert poller.poll().status_code == 200 and len(poller.body) == models[3].size

        new = make_model(production.assistant, content=large_archive(MB))
        assert stores().new.exists(new.artifact_id) and not stores().old.exists(new.artifact_id)
        delete_model(actor=None, model=models[0])
        assert not stores().exists(models[0].artifact_id)

        call_command("move_artifacts")
        assert all(is_whole(stores().new, model) for model in (*models[1:], new))
        assert not stores().new.exists(models[0].artifact_id)

    def test_of_the_old_store_only_what_was_read_back_is_deleted(self, models, proxy, settings, capsys):
        lost = models[2]
        path = settings.ARTIFACTS_DIR / lost.artifact_id[:2] / lost.artifact_id
        if settings.ARTIFACTS_MOVE == TO_S3:
            os.truncate(path, SIZE // 2)
        else:
            stores().old.delete(lost.artifact_id)
        with pytest.raises(CommandError, match="1 of 4 could not be moved"):
            call_command("move_artifacts", "--delete-source")
        assert "3 deleted from the old store" in capsys.readouterr().out
        for model in models:
            assert stores().new.exists(model.artifact_id) is (model != lost)
            assert stores().old.exists(model.artifact_id) is (model == lost and settings.ARTIFACTS_MOVE == TO_S3)


def test_a_dry_run_moves_nothing(models, capsys):
    call_command("move_artifacts", "--dry-run", "--delete-source")
    said = capsys.readouterr().out
    assert "4 would be moved, 80" in said and "4 would be deleted from the old store" in said
    assert not any(stores().new.exists(model.artifact_id) for model in models)


def test_a_store_that_goes_away_ends_the_move_and_what_was_moved_stays(models, s3: S3Server, proxy, settings):
    strike(proxy, settings.ARTIFACTS_MOVE, s3.kill)
    with pytest.raises(CommandError, match="What was moved stays moved"):
        call_command("move_artifacts")
    proxy.change_up = proxy.change_down = bytes
    s3.start()
    call_command("move_artifacts")
    assert all(is_whole(stores().new, model) for model in models)
