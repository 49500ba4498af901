"""Wrong tokens at the model server are limited, and right ones never are."""

import pytest

from environments import guesses
from tests.environments.polling import address_of, token_of
from tests.factories import make_model

FEW = guesses.Window("model-tokens", most=3, seconds=300)


@pytest.fixture(autouse=True)
def _few(monkeypatch, fresh_redis):
    monkeypatch.setattr(guesses, "WRONG", FEW)
    guesses.forget()
    yield
    guesses.forget()


@pytest.fixture
def model(assistant, promote_to_production):
    model = make_model(assistant)
    promote_to_production(model)
    return model


def guess(client, production, times: int = 1, **headers):
    for _ in range(times):
        answer = client.get(address_of(production), {"token": "wrong"}, **headers)
    return answer


def test_too_many_wrong_tokens_of_an_address_are_told_to_wait(client, production):
    assert guess(client, production, FEW.most).status_code == 401
    answer = guess(client, production)

    assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")
    assert 0 < int(answer["Retry-After"]) <= FEW.seconds
    assert guess(client, production, REMOTE_ADDR="192.0.2.7").status_code == 401


def test_a_guess_at_a_tag_that_does_not_exist_counts_as_well(client, production):
    for _ in range(FEW.most):
        client.get("/api/projects/default/models/tags/nowhere", {"token": "wrong"})

    assert guess(client, production).status_code == 429


def test_a_replica_with_the_right_token_polls_on_beside_one_that_has_a_wrong_one(client, production, model):
    guess(client, production, FEW.most + 1)

    assert client.head(address_of(production), {"token": token_of(production)}).status_code == 200


def test_the_token_of_all_tags_is_refused_where_it_is_guessed(client, production, model, settings):
    settings.RASA_X_TOKEN = "short"
    guess(client, production, FEW.most + 1)

    assert client.head(address_of(production), {"token": "short"}).status_code == 429
    assert client.head(address_of(production), {"token": "short"}, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_without_any_token_nothing_is_counted(client, production):
    for _ in range(FEW.most + 2):
        assert client.get(address_of(production)).status_code == 401
