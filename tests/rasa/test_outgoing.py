import socket
import time

import pytest

from studio.web import outgoing
from tests.rasa.servers import Reply, SmallServer

LOCALHOST = ["127.0.0.1"]


def get(url: str, **options) -> outgoing.Answer:
    return outgoing.request("GET", url, hosts=options.pop("hosts", LOCALHOST), **options)


def test_an_answer_comes_back_whole_whatever_its_status(server: SmallServer):
    server.replies["/a"] = Reply(409, {"reason": "Conflict"})
    answer = get(server.url + "/a", params={"token": "s p"})
    assert (answer.status, answer.json()) == (409, {"reason": "Conflict"})
    assert server.seen[0].query == {"token": "s p"}


def test_a_connection_is_used_again(server: SmallServer):
    server.replies["/a"] = Reply(body=1)
    get(server.url + "/a")
    get(server.url + "/a")
    assert server.seen[0].peer == server.seen[1].peer


def test_a_redirect_is_returned_and_not_followed(server: SmallServer):
    server.replies["/a"] = Reply(302, "", {"Location": server.url + "/b"})
    assert get(server.url + "/a").status == 302
    assert [seen.path for seen in server.seen] == ["/a"]


def test_cookies_are_not_kept(server: SmallServer):
    server.replies["/a"] = Reply(body=1, headers={"Set-Cookie": "who=me; Path=/"})
    get(server.url + "/a")
    get(server.url + "/a")
    assert "Cookie" not in server.seen[1].headers


@pytest.mark.parametrize("address", ["ftp://rasa", "rasa:5005", "http://", "http://[::1", "http://me:secret@rasa"])
def test_what_is_no_http_address_is_refused(address):
    with pytest.raises(outgoing.MalformedAddress) as refusal:
        get(address)
    assert "secret" not in refusal.value.message


def test_a_name_that_does_not_resolve():
    with pytest.raises(outgoing.UnknownHost, match=r"nobody\.invalid"):
        get("http://nobody.invalid/?token=secret")


def test_a_port_where_nothing_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(outgoing.Refused):
            get(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def test_an_answer_that_does_not_come_in_time(server: SmallServer):
    server.replies["/a"] = Reply(raw=lambda _handler: time.sleep(1))
    with pytest.raises(outgoing.TimedOut, match=r"0\.2 seconds"):
        get(server.url + "/a?token=secret", timeout=0.2)


def test_what_was_never_connected_did_not_arrive(server: SmallServer, monkeypatch: pytest.MonkeyPatch):
    def silent(*_args: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr("studio.web.outgoing.socket.create_connection", silent)
        with pytest.raises(outgoing.TimedOut) as late:
            get(server.url + "/never")
    assert not late.value.may_have_arrived
    server.replies["/a"] = Reply(raw=lambda _handler: None)
    with pytest.raises(outgoing.Broken) as broken:
        get(server.url + "/a")
    assert broken.value.may_have_arrived


def test_a_slow_drip_ends_at_the_deadline(server: SmallServer):
    def drip(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
        for _ in range(400):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    server.replies["/a"] = Reply(raw=drip)
    began = time.monotonic()
    with pytest.raises(outgoing.TimedOut):
        get(server.url + "/a", timeout=0.3)
    assert time.monotonic() - began < 10


def test_an_answer_that_stops_in_the_middle(server: SmallServer):
    server.replies["/a"] = Reply(raw=lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    with pytest.raises(outgoing.Broken):
        get(server.url + "/a")


def test_what_is_not_http(server: SmallServer):
    server.replies["/a"] = Reply(raw=lambda h: h.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"))
    with pytest.raises(outgoing.Broken):
        get(server.url + "/a")


def test_https_where_plain_http_is_spoken(server: SmallServer):
    with pytest.raises(outgoing.NotTrusted):
        get(server.url.replace("http://", "https://") + "/a")


def test_an_answer_beyond_the_limit_is_not_read(server: SmallServer):
    server.replies["/a"] = Reply(body="x" * 1001)
    with pytest.raises(outgoing.TooLarge):
        get(server.url + "/a", limit=1000)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"])
def test_no_spelling_of_this_machine_is_called_unless_it_is_listed(server: SmallServer, host):
    with pytest.raises(outgoing.ForbiddenHost, match="PARLEY_RASA_HOSTS"):
        get(f"http://{host}:{server.port}/", hosts=["rasa.internal"])
    assert server.seen == []


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fe80::1%eth0", "fd00::1", "64:ff9b::7f00:1"]
)
def test_private_addresses_are_not_allowed_by_default(address):
    assert not outgoing.is_allowed("rasa", address, [])


def test_public_addresses_need_no_listing():
    assert outgoing.is_allowed("rasa.example.com", "93.184.216.34", [])


@pytest.mark.parametrize("listed", ["rasa.corp", "*.corp", "RASA.Corp", "10.1.2.3", "10.0.0.0/8"])
def test_private_hosts_are_listed_by_name_pattern_address_or_network(listed):
    assert outgoing.is_allowed("rasa.corp", "10.1.2.3", [listed])


@pytest.mark.parametrize("listed", ["corp", "rasa", "10.1.2.4", "10.2.0.0/16", "*.other"])
def test_what_is_listed_stands_for_nothing_else(listed):
    assert not outgoing.is_allowed("rasa.corp", "10.1.2.3", [listed])
