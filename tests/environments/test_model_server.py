import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import Environment
from environments.services import pointers
from environments.services.birth import create_environment
from models_app.models import Assistant
from models_app.services.tags import remove_tag, set_tag
from models_app.storage import store
from tests.environments.polling import Poller, address_of, token_of
from tests.factories import environment_of, make_assistant, make_model


@pytest.fixture
def model(assistant: Assistant, promote_to_production):
    model = make_model(assistant)
    promote_to_production(model)
    return model


def seen_by_redis(client: redis.Redis, act: Callable[[], Any]) -> tuple[Any, list[str], set[str]]:
    """What `act` gives, the commands it sends, and those inside its scripts. Of this process's own database: others are
    busy on the same server."""
    own, sent, inside = client.connection_pool.connection_kwargs.get("db", 0), [], set()
    with client.monitor() as monitor:
        client.echo("the beginning")  # by a second connection of ours, which says first which database it wants
        given = act()
        client.echo("the end")
        while monitor.next_command()["command"] != "ECHO the beginning":
            pass
        while (one := monitor.next_command())["command"] != "ECHO the end":
            name = one["command"].partition(" ")[0].upper()
            if int(one["db"]) != int(own):
                continue
            if one["client_type"] == "lua":
                inside.add(name)
            else:
                sent.append(name)
    return given, sent, inside


def ask(client: Client, environment: Environment, **headers: str):
    return client.get(address_of(environment), {"token": token_of(environment)}, headers=headers)


def test_the_archive_comes_with_its_etag_and_file_name(client, production, model):
    response = ask(client, production)

    body = b"".join(response.streaming_content)
    assert response.status_code == 200
    assert len(body) == model.size == int(response["Content-Length"])
    assert response["ETag"] == model.etag == f'"{hashlib.sha256(body).hexdigest()}"'
    assert response["filename"] == f"{model.name}.tar.gz"


def test_the_alias_path_means_the_default_assistant(client, production, model):
    response = client.head("/api/models/tags/production", {"token": token_of(production)})

    assert (response.status_code, response["ETag"]) == (200, model.etag)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_model_that_is_known_already_is_not_sent_again(client, production, model, form):
    response = ask(client, production, If_None_Match=form.format(model.etag))

    assert (response.status_code, response["ETag"], response.content) == (304, model.etag, b"")


def test_another_etag_gets_the_model(client, production, model):
    response = ask(client, production, If_None_Match='"0000"')

    assert (response.status_code, len(b"".join(response.streaming_content))) == (200, model.size)


def test_an_environment_without_model_has_no_content(client, production):
    assert ask(client, production).status_code == 204


def test_head_has_the_length_and_no_body(client, production, model):
    response = client.head(address_of(production), {"token": token_of(production)})

    assert (response["Content-Length"], response.content) == (str(model.size), b"")


def test_other_methods_are_refused(client, production):
    response = client.post(address_of(production), {"token": token_of(production)})

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "header",
    [
        lambda token: {"Authorization": f"Bearer {token}"},
        lambda token: {"Authorization": f"Token {token}"},
        lambda token: {"Authorization": "Basic " + base64.b64encode(f"rasa:{token}".encode()).decode()},
        lambda token: {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode()},
        lambda token: {"X-Rasa-Token": token},
    ],
)
def test_the_token_may_come_in_a_header(client, production, model, header):
    response = client.head(address_of(production), headers=header(token_of(production)))

    assert response.status_code == 200


@pytest.mark.parametrize("authorization", ["", "Basic !!!", "Bearer", "Bearer wrong", "Basic /w=="])
def test_without_the_right_token_there_is_one_answer(client, production, model, authorization):
    response = client.get(address_of(production), headers={"Authorization": authorization})

    assert response.status_code == 401
    assert response.json()["reason"] == "Unauthenticated"


def test_a_refusal_is_no_redirect_and_sets_no_cookie(client, production):
    response = client.get(address_of(production))

    assert response.status_code == 401
    assert not response.cookies
    assert "Location" not in response


def test_a_token_reads_its_own_environment_only(client, assistant, production, model):
    worker = environment_of(assistant, "worker")

    for other in (worker, environment_of(make_assistant("other"))):
        assert client.get(address_of(other), {"token": token_of(production)}).status_code == 401


def test_a_wrong_token_is_no_poll(client, production, model):
    client.get(address_of(production), {"token": "wrong"}, headers={"If-None-Match": "abc", "X-Parley-Replica": "x"})

    assert not production.replicas.exists()


class TestRasaXToken:
    @pytest.fixture(autouse=True)
    def token(self, settings):
        settings.RASA_X_TOKEN = "one-for-all"

    def test_reads_every_environment_of_the_default_assistant(self, client, production, model):
        assert client.head(address_of(production), {"token": "one-for-all"}).status_code == 200

    def test_reads_free_tags(self, client, assistant, model):
        set_tag(actor=None, model=model, name="candidate")

        path = "/api/projects/default/models/tags/candidate"
        assert client.head(path, {"token": "one-for-all"})["ETag"] == model.etag
        known = client.get(path, {"token": "one-for-all"}, headers={"If-None-Match": model.etag})
        assert known.status_code == 304

    def test_a_free_tag_is_polled_without_sql_like_an_environments(self, client, assistant, model, fresh_redis):
        set_tag(actor=None, model=model, name="candidate")
        poller = Poller(client, Environment(assistant=assistant, name="candidate"), "rasa-1", token="one-for-all")
        poller.poll()
        with CaptureQueriesContext(connection) as queries:
            response, sent, _ = seen_by_redis(fresh_redis, poller.poll)

        assert (response.status_code, len(queries)) == (304, 0)
        assert sent == ["EVALSHA"]
        assert not fresh_redis.exists(pointers.POLLS_KEY)

    def test_a_free_tag_leads_to_its_new_model_at_once(
        self, client, assistant, model, django_capture_on_commit_callbacks
    ):
        path, token = "/api/projects/default/models/tags/candidate", {"token": "one-for-all"}
        other = make_model(assistant)
        for target in (model, other):
            with django_capture_on_commit_callbacks(execute=True):
                set_tag(actor=None, model=target, name="candidate")
            assert client.head(path, token)["ETag"] == target.etag

        with django_capture_on_commit_callbacks(execute=True):
            remove_tag(actor=None, assistant=assistant, name="candidate")
        assert client.head(path, token).status_code == 404

    def test_a_free_tag_is_no_longer_one_once_an_environment_has_its_name(
        self, client, assistant, model, django_capture_on_commit_callbacks
    ):
        path = "/api/projects/default/models/tags/candidate"
        set_tag(actor=None, model=model, name="candidate")
        client.head(path, {"token": "one-for-all"})

        with django_capture_on_commit_callbacks(execute=True):
            made = create_environment(actor=None, assistant=assistant, name="candidate")

        assert client.head(path, {"token": token_of(made)})["ETag"] == model.etag

    def test_an_unknown_tag_is_not_found(self, client, assistant):
        response = client.get("/api/projects/default/models/tags/nowhere", {"token": "one-for-all"})

        assert (response.status_code, response.json()["reason"]) == (404, "NotFound")

    def test_reads_nothing_of_other_assistants(self, client, assistant):
        other = environment_of(make_assistant("other"))

        assert client.get(address_of(other), {"token": "one-for-all"}).status_code == 401


def test_a_free_tag_is_not_for_an_environments_token(client, production, model):
    set_tag(actor=None, model=model, name="candidate")

    path = "/api/projects/default/models/tags/candidate"
    assert client.get(path, {"token": token_of(production)}).status_code == 401


def test_a_poll_without_news_costs_no_sql_and_one_redis_call(poller: Poller, model, fresh_redis):
    poller.poll()
    poller.poll()

    with CaptureQueriesContext(connection) as queries:
        response, sent, inside = seen_by_redis(fresh_redis, poller.poll)

    assert response.status_code == 304
    assert len(queries) == 0
    assert sent == ["EVALSHA"]
    assert inside <= {"HMGET", "HGET", "HSET"}


def test_after_redis_is_flushed_the_next_poll_is_right_again(poller: Poller, model, fresh_redis):
    poller.poll()
    fresh_redis.flushdb()
    fresh_redis.script_flush()

    assert poller.poll().status_code == 304


def test_without_redis_the_database_answers(poller: Poller, model, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert poller.poll().status_code == 200
    assert poller.poll().status_code == 304
    assert poller.replica.runs_etag == model.artifact_id


def test_without_redis_unchanged_polls_are_written_now_and_then(poller: Poller, model, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    poller.poll()
    poller.poll()

    with CaptureQueriesContext(connection) as queries:
        poller.poll()

    assert len(queries) == 1  # where the tag points


def test_without_redis_a_wrong_token_is_still_refused(client, production, model, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert client.get(address_of(production), {"token": "wrong"}).status_code == 401


def test_a_redis_that_failed_is_left_alone_for_a_moment(poller: Poller, model, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    poller.poll()

    assert pointers.breaker.is_open


def test_a_file_missing_from_the_store_is_an_outage_not_an_empty_model(client, production, model):
    store().delete(model.artifact_id)

    response = ask(client, production)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json()["message"] == "The model's file is missing from the artifact store."


def test_head_tells_of_a_missing_file_too(client, production, model):
    store().delete(model.artifact_id)

    assert client.head(address_of(production), {"token": token_of(production)}).status_code == 503


def test_a_store_that_cannot_be_read_is_an_outage_too(client, production, model, monkeypatch):
    def refused(*_arguments):
        raise PermissionError

    monkeypatch.setattr(type(store()), "open", refused)

    assert ask(client, production).status_code == 503
