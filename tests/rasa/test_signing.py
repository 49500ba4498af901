import time

import jwt
import pytest

from studio.rasa.signing import ANY_CONVERSATION, chat_token, generate_key_pair, published_keys


@pytest.fixture(scope="module")
def keys():
    return generate_key_pair()


def test_a_token_holds_who_speaks_and_when_it_ends_and_nothing_more(keys):
    claims = jwt.decode(chat_token(keys.private_pem, "guest"), keys.public_pem, algorithms=["RS256"])
    assert claims == {"username": "guest", "scopes": [], "exp": claims["exp"]}
    assert 55 <= claims["exp"] - time.time() <= 60


def test_speaking_in_any_conversation_is_a_scope(keys):
    token = chat_token(keys.private_pem, "talk", any_conversation=True)
    assert jwt.decode(token, keys.public_pem, algorithms=["RS256"])["scopes"] == [ANY_CONVERSATION]


@pytest.mark.parametrize("seconds", [0, -1, 61])
def test_a_token_that_lives_too_long_is_not_made(keys, seconds):
    with pytest.raises(ValueError, match="at most 60"):
        chat_token(keys.private_pem, "guest", seconds=seconds)


def test_only_the_public_key_is_published(keys):
    [key] = published_keys(keys.public_pem)["keys"]
    assert key["alg"] == "RS256"
    assert key["key"].startswith("-----BEGIN PUBLIC KEY-----")
