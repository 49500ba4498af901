"""Whether what answers at a port is our server."""

from collections.abc import Iterator

import pytest

from environments.serving.watch import HOST, Answer, Watch, look
from studio.rasa.commands import free_port
from tests.rasa.servers import Reply, SmallServer

RUNS = {"model_file": "m.tar.gz", "model_id": "1", "num_active_training_jobs": 0}


@pytest.fixture
def server() -> Iterator[SmallServer]:
    server = SmallServer()
    yield server
    server.close()


def port_of(server: SmallServer) -> int:
    return int(server.url.rpartition(":")[2])


def test_nothing_listens() -> None:
    assert look(HOST, free_port(), "token", prove=True) == Answer(False)


def test_somebody_elses_server_that_takes_any_token_is_not_ours(server: SmallServer) -> None:
    server.replies["/status"] = Reply(body=RUNS)
    assert not look(HOST, port_of(server), "token", prove=True).answers


def test_one_that_was_proven_is_not_asked_without_its_token_again(server: SmallServer) -> None:
    server.replies["/status"] = Reply(body=RUNS)
    assert look(HOST, port_of(server), "token", prove=False) == Answer(True, has_model=True)


def test_a_server_that_refuses_our_token_is_another(server: SmallServer) -> None:
    server.replies["/status"] = Reply(status=401, body={})
    assert look(HOST, port_of(server), "token", prove=True) == Answer(False)


def test_an_answer_is_given_once(server: SmallServer) -> None:
    server.replies["/status"] = Reply(body=RUNS)
    watch = Watch()
    assert watch.answer(1) is None
    watch.ask(1, HOST, port_of(server), "token", prove=False)
    answer = None
    while answer is None:
        answer = watch.answer(1)
    assert answer.answers
    assert watch.answer(1) is None
