"""What is said when Parley does not answer, or not as it should; and when something was typed wrong."""

import json
import socket

import pytest
import requests

from parley_cli.client import unreachable


def test_what_passes_by_itself_is_tried_again(with_fake) -> None:
    with_fake.world.add_model("otter")
    with_fake.world.trouble = [(503, b"<html>busy</html>", {}), (502, b"", {})]
    assert with_fake.done("models").out.startswith("otter\t")


def test_what_stands_before_a_parley_that_is_away_is_said(with_fake) -> None:
    with_fake.world.trouble = [(502, b"<html>nginx</html>", {})] * 4
    ended = with_fake("models")
    assert (ended.code, ended.err) == (
        7,
        f"parley: {with_fake.world.url} is away just now: what stands before it answers 502.\n",
    )


def test_what_is_no_parley_is_said(with_fake) -> None:
    with_fake.world.trouble = [(404, b"<html>nginx</html>", {"Content-Type": "text/html"})]
    ended = with_fake("models")
    assert (ended.code, "not as Parley does" in ended.err) == (5, True)
    with_fake.world.trouble = [(301, b"", {"Location": "https://new.example.com/api/x"})]
    assert "https://new.example.com" in with_fake("models").err
    with_fake.world.trouble = [(302, b"", {"Location": "/login"})]
    assert "answered 302, but not as Parley does" in with_fake("models").err


@pytest.mark.parametrize(
    ("url", "proxy", "said"),
    [
        ("http://127.0.0.1:9", "", "http://127.0.0.1:9: nothing listens there (connection refused)."),
        ("http://nowhere.invalid", "", "http://nowhere.invalid: there is no machine of that name."),
        ("http://127.0.0.1:9", "http://127.0.0.1:10", "The proxy on the way to http://127.0.0.1:9 is away"),
    ],
)
def test_nobody_there(with_fake, url: str, proxy: str, said: str) -> None:
    with_fake.variable("PARLEY_URL", url)
    for name in ("NO_PROXY", "no_proxy"):
        with_fake.variable(name, "")
    for name in ("http_proxy", "HTTP_PROXY"):
        with_fake.variable(name, proxy)
    ended = with_fake("models")
    assert (ended.code, ended.err.count("\n"), ended.err.startswith(f"parley: {said}")) == (7, 1, True), ended.err


def test_https_of_what_speaks_none(with_fake) -> None:
    place = with_fake.world.url.replace("http://", "https://")
    with_fake.variable("PARLEY_URL", place)
    ended = with_fake("models")
    assert (ended.code, "speaks no TLS" in ended.err, "certificate" in ended.err) == (7, True, False)


def test_a_name_is_looked_up_in_vain_on_every_system() -> None:
    told = socket.gaierror(8, "nodename nor servname provided, or not known")
    assert "no machine of that name" in unreachable("https://x", requests.ConnectionError(told)).message


def test_nothing_of_somebody_elses_steers_the_terminal(with_fake) -> None:
    message = "Bad \x1b[31mred\x1b]0;title\x07"
    body = {"version": "", "status": "failure", "message": message, "reason": "X", "details": {}, "help": None}
    with_fake.world.trouble = [(400, json.dumps({**body, "code": 400}).encode(), {})]
    ended = with_fake("models")
    assert (ended.code, "\x1b" in ended.err, "\x07" in ended.err) == (1, False, False)


@pytest.mark.parametrize("words", [["models", "--limit", "0"], ["promote", "x"], ["nonsense"], ["upload"]])
def test_wrong_words_end_with_2(with_fake, words) -> None:
    assert with_fake(*words).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["models", "--limit", "x"], "parley models --help"),
        (["--nonsense"], "No such option"),
        (["conversations", "export", "--nonsense"], "parley conversations export --help"),
        (["promote", "x"], "--to"),
    ],
)
def test_what_was_typed_wrong_is_one_line(with_fake, words, said) -> None:
    ended = with_fake(*words)
    assert (ended.code, ended.out, ended.err.count("\n"), said in ended.err) == (2, "", 1, True)
    told = json.loads(with_fake(*words, "--json").err)
    assert (told["exit_code"], told["status"], said in told["error"]) == (2, 0, True)


def test_no_words_are_a_question_for_help(with_fake) -> None:
    assert "Usage: parley" in with_fake().out + with_fake().err


@pytest.mark.parametrize(
    "words",
    [
        "login --password-stdin",
        "login --token --token-stdin",
        "login -u ada --token-stdin",
        "train --cancel 1 --follow 1",
        "train --follow 1 --force",
        "train --cancel 1 --revision 1",
        "train --follow 1 --tests --detach",
        "share --list --revoke 1",
        "share --in worker --model otter",
        "talk --in worker --model otter",
        "pull --overwrite --keep",
        "push --replace --merge",
        "doctor --rasa-token-stdin",
    ],
)
def test_options_that_contradict_each_other(with_fake, words: str) -> None:
    ended = with_fake(*words.split())
    assert (ended.code, ended.err.count("\n"), with_fake.world.asked) == (2, 1, [])


def test_the_number_of_a_request_steers_no_terminal(with_fake) -> None:
    with_fake.world.trouble = [(404, b"{}", {"X-Request-Id": "\x1b[31mred"})]
    assert "\x1b" not in with_fake("models").err
