"""Models on S3 as Rasa servers and people get them: by the model server and by the pages, when the store is away too."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from environments.models import Environment
from models_app import health
from models_app.models import Model
from models_app.storage import store
from models_app.storage.s3 import S3Store
from models_app.storage.s3_client import Place
from tests.environments.polling import Poller, address_of, token_of
from tests.factories import environment_of, make_assistant, make_model, make_person
from tests.models_app.test_upload_live import answers, database_url, large_archive, wait_until
from tests.stack.programs import free_port
from tests.stack.s3 import S3Server

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def on_s3(s3_place: Place, settings, redis_client, tmp_path, monkeypatch) -> Place:
    settings.ARTIFACTS_DIR = tmp_path
    settings.S3_BUCKET, settings.S3_PREFIX, settings.S3_ENDPOINT = s3_place.bucket, "models", s3_place.endpoint
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = s3_place.access_key, s3_place.secret_key
    monkeypatch.setattr(health, "STORE_SECONDS", 0)
    return s3_place


@pytest.fixture
def production() -> Environment:
    return environment_of(make_assistant("default"))


@pytest.fixture
def model(production: Environment) -> Model:
    return promoted(production, large_archive(20 * MB))


def promoted(production: Environment, content: bytes) -> Model:
    from environments.services.promotion import promote

    model = make_model(production.assistant, content=content)
    promote(actor=None, environment=production, model=model)
    return model


def bytes_of(model: Model) -> bytes:
    with store().open(model.artifact_id) as file:
        return file.read()


class TestByTheModelServer:
    def test_a_poll_is_given_the_model_with_our_etag_and_then_nothing(self, client, production, model):
        assert isinstance(store(), S3Store)
        poller = Poller(client, production, "rasa-1")
        response = poller.poll()
        assert (response.status_code, response["ETag"]) == (200, model.etag)
        assert int(response["Content-Length"]) == len(poller.body) == model.size
        assert poller.body == bytes_of(model)
        assert poller.poll().status_code == 304

    def test_a_range_is_answered_by_its_part(self, client, production, model):
        headers = {"Range": f"bytes={10 * MB}-{11 * MB - 1}"}
        response = client.get(address_of(production), {"token": token_of(production)}, headers=headers)
        assert (response.status_code, response["ETag"]) == (206, model.etag)
        assert response["Content-Range"] == f"bytes {10 * MB}-{11 * MB - 1}/{model.size}"
        assert b"".join(response.streaming_content) == bytes_of(model)[10 * MB : 11 * MB]

    def test_head_has_the_length(self, client, production, model):
        response = client.head(address_of(production), {"token": token_of(production)})
        assert (response.status_code, response["Content-Length"]) == (200, str(model.size))

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_a_store_that_is_away_is_an_outage(self, client, production, model, s3: S3Server, method: str):
        s3.kill()
        response = getattr(client, method)(address_of(production), {"token": token_of(production)})
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        if method == "get":
            assert "cannot be reached" in response.json()["message"]

    def test_a_file_that_is_missing_is_said_to_be(self, client, production, model):
        store().delete(model.artifact_id)
        response = client.get(address_of(production), {"token": token_of(production)})
        assert response.json()["message"] == "The model's file is missing from the artifact store."


class TestByThePages:
    @pytest.fixture
    def person(self, client: Client) -> Client:
        client.force_login(make_person("admin"))
        return client

    def test_a_model_can_be_downloaded_and_deleted(self, person, production):
        model = make_model(production.assistant)
        downloaded = person.get(reverse("models:download", args=["default", model.name]))
        assert b"".join(downloaded.streaming_content) == bytes_of(model)
        person.post(reverse("models:delete", args=["default", model.name]))
        assert not store().exists(model.artifact_id)

    def test_while_the_store_is_away_pages_say_so(self, person, production, model, s3: S3Server):
        s3.kill()
        page = person.get(reverse("models:detail", args=["default", model.name]))
        assert page.status_code == 200
        assert "The artifact store cannot be reached" in page.content.decode()
        download = person.get(reverse("models:download", args=["default", model.name]))
        assert download.status_code == 503
        assert "The artifact store cannot be reached" in download.content.decode()
        upload = person.put(reverse("models:upload-file", args=["default", "otter.tar.gz"]), b"x")
        assert upload.status_code in {422, 503}

    def test_readyz_tells_and_names_nothing(self, client, s3: S3Server, on_s3: Place):
        assert client.get("/readyz").json()["parts"]["artifact store"] == {"status": "ok"}
        s3.kill()
        answer = client.get("/readyz")
        part = answer.json()["parts"]["artifact store"]
        assert (answer.status_code, part["status"]) == (200, "degraded")
        assert "cannot be reached" in part["message"] and on_s3.bucket not in part["message"]


@dataclass
class Web:
    """A gunicorn over the same database and bucket."""

    port: int

    @contextmanager
    def ask(self, production: Environment, **headers: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"{address_of(production)}?token={token_of(production)}"
        with closing(connection):
            connection.request("GET", path, headers={"Host": "localhost", **headers})
            with connection.getresponse() as response:
                yield response


@pytest.fixture
def web(on_s3: Place, tmp_path) -> Iterator[Web]:
    port = free_port()
    environment = {
        **os.environ,
        "PARLEY_ARTIFACTS": str(tmp_path),
        "PARLEY_S3_BUCKET": on_s3.bucket,
        "PARLEY_S3_PREFIX": "models",
        "PARLEY_S3_ENDPOINT": f"http://127.0.0.1:{urlsplit(on_s3.endpoint).port}",
        "PARLEY_S3_ACCESS_KEY_ID": on_s3.access_key,
        "PARLEY_S3_SECRET_ACCESS_KEY": on_s3.secret_key,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "studio.settings",
    }
    command = [sys.executable, "-m", "gunicorn", "studio.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port))
        yield Web(port)
    finally:
        process.terminate()
        process.wait(20)


class TestByRealSockets:
    def test_the_whole_file_and_parts_of_it(self, web: Web, production, model):
        with web.ask(production) as whole:
            body = whole.read()
            assert (whole.status, whole.headers["ETag"], len(body)) == (200, model.etag, model.size)
        with web.ask(production, Range="bytes=1000000-") as part:
            assert part.status == 206
            assert part.read() == body[1_000_000:]
        with web.ask(production, If_None_Match=model.etag) as known:
            assert known.status == 304

    def test_a_file_that_ends_early_never_looks_whole(self, web: Web, production, s3: S3Server):
        promoted(production, large_archive(60 * MB))
        with web.ask(production) as response:
            taken = len(response.read(MB))
            s3.kill()
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
        assert taken == MB
