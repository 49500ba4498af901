"""The doctor, and the Rasa servers that it looks at."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

TOKEN = "server-secret"


class FakeRasa:
    """Answers by path with a status and a body; None breaks the connection off."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object] | None] = {"/version": (200, {"version": "3.6.21"})}
        self.asked: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append(self.path)
                answer = fake.answers.get(self.path.partition("?")[0], (404, {}))
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response_only(answer[0])
                self.end_headers()
                self.wfile.write(json.dumps(answer[1]).encode())

            def log_message(self, *words: object) -> None: ...

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def rasa() -> Iterator[FakeRasa]:
    server = FakeRasa()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_the_doctor_finds_nothing_before_anything_is_set_up(parley) -> None:
    facts = parley.done("doctor", "--json").json
    assert facts["good"]
    assert {"version", "clock", "token"} <= {one["about"] for one in facts["findings"]}


def test_the_doctor_says_what_to_do(parley) -> None:
    parley.world.add_model("one")
    parley.done("promote", "one", "--to", "production")
    ended = parley("doctor")
    assert (ended.code, "no server polls for it" in ended.out) == (30, True)
    assert parley("doctor", "--in", "nowhere").code == 30


def test_the_doctor_knows_the_time(with_fake) -> None:
    with_fake.world.clock = 300
    ended = with_fake("doctor")
    assert (ended.code, "s behind Parley's" in ended.out) == (30, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:9/rasa"])
def test_the_doctor_looks_at_a_rasa_server_from_here(with_fake, url) -> None:
    ended = with_fake("doctor", "--rasa", url)
    assert (ended.code, "nothing listens there" in ended.out) == (30, True)


def test_the_doctor_says_that_parley_is_away(with_fake) -> None:
    with_fake.variable("PARLEY_URL", "http://127.0.0.1:9")
    ended = with_fake("doctor")
    assert (ended.code, "nothing listens there" in ended.out) == (30, True)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ((401, {}), "does not accept the server token"),
        ((404, {}), "HTTP API is off"),
        ((409, {}), "loaded no model"),
        ((200, {"model_file": None}), "loaded no model"),
        ((200, ["what"]), "no Rasa server"),
        (None, "broke"),
    ],
)
def test_what_is_wrong_with_a_rasa_server(with_fake, rasa, monkeypatch, status, said) -> None:
    rasa.answers["/status"] = status
    monkeypatch.setenv("RASA_TOKEN", TOKEN)
    ended = with_fake("doctor", "--rasa", rasa.url, "--json")
    about = [one for one in ended.json["findings"] if one["about"] == f"Rasa at {rasa.url}"]
    assert (ended.code, about[-1]["status"], said in about[-1]["message"]) == (30, "failed", True)
    assert about[0]["message"] == "Rasa 3.6.21 answers."
    assert (rasa.asked[-1], TOKEN in ended.out + ended.err) == (f"/status?token={TOKEN}", False)


def test_the_token_of_a_rasa_server_is_in_no_line_of_the_machine(with_fake, rasa) -> None:
    assert with_fake("doctor", "--rasa", rasa.url, "--rasa-token", TOKEN).code == 2
    rasa.answers["/status"] = (200, {"model_file": "/app/models/otter.tar.gz"})
    ended = with_fake("doctor", "--rasa", rasa.url, "--rasa-token-stdin", typed=f"{TOKEN}\n")
    assert (rasa.asked[-1], "It has loaded otter.tar.gz." in ended.out) == (f"/status?token={TOKEN}", True)


def test_a_rasa_server_with_another_model_than_the_live_one(with_fake, rasa) -> None:
    rasa.answers["/status"] = (200, {"model_file": "mink.tar.gz"})
    with_fake.world.add_model("otter")
    with_fake.done("promote", "otter", "--to", "production")
    ended = with_fake("doctor", "--rasa", rasa.url)
    assert "Parley has otter live in production, and no server says that it runs it." in ended.out
    assert "url: http" in ended.out


def test_no_exception_of_the_network_is_shown_with_its_address(with_fake, monkeypatch, capsys) -> None:
    from requests import ConnectionError as Broken

    from parley_cli import doctoring

    def breaks(*facts: object) -> Iterator[object]:
        raise Broken(f"http://rasa/status?token={TOKEN}")
        yield

    monkeypatch.setattr(doctoring, "of_parley", breaks)
    ended = with_fake("doctor")
    assert (ended.code, ended.err) == (7, "parley: The connection broke. Try again.\n")
