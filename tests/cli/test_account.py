"""Signing in, who one is, and which Parley a command asks."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley_cli import config
from parley_cli.failures import Failure

SOURCE = str(Path(__file__).resolve().parents[2] / "cli" / "src")
SSO = {"name": "Keycloak", "issuer": "https://id.example.com", "client_id": "parley-cli", "scope": "openid"}


def test_a_token_is_kept_for_its_owner_alone(parley) -> None:
    parley.without_variables()
    url = parley.world.url
    ended = parley.done("login", "--url", url, "--token-stdin", "--json", typed=f"{parley.world.token}\n")
    assert ended.json["username"] == "ada"
    file = parley.folder / "config" / "parley" / "profiles.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    who = parley.done("whoami", "--json").json
    assert (who["username"], who["url"], who["profile"], who["project"]) == ("ada", url, "default", "default")
    assert parley.world.token not in parley.done("whoami").out
    parley.done("logout")
    assert parley("whoami").code == 3


def test_a_wrong_token_is_one_line_with_the_request(parley) -> None:
    parley.variable("PARLEY_TOKEN", "parley_wrong.secret")
    ended = parley("whoami")
    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert "does not accept the token" in ended.err and "(request " in ended.err
    told = json.loads(parley("whoami", "--json").err)
    assert (told["exit_code"], told["status"], told["reason"]) == (3, 401, "NotAuthenticated")


def test_a_wrong_token_is_not_kept(parley) -> None:
    parley.without_variables()
    ended = parley("login", "--url", parley.world.url, "--token-stdin", typed="parley_wrong.secret\n")
    assert (ended.code, config.profiles()) == (3, {})


def test_a_password_signs_in(with_fake) -> None:
    with_fake.without_variables()
    url = with_fake.world.url
    wrong = with_fake("login", "--url", url, "-u", "ada", "--password-stdin", typed="no\n")
    assert (wrong.code, "password is wrong" in wrong.err) == (3, True)
    with_fake.done("login", "--url", url, "-u", "ada", "--password-stdin", typed="correct-horse-battery\n")
    assert config.profiles()["default"].token == with_fake.world.token


def test_a_secret_goes_to_no_address_of_a_file_unasked(with_fake) -> None:
    with_fake.without_variables()
    fake = with_fake.world
    config.write_project(with_fake.project, {"url": fake.url})
    ended = with_fake("login", "--token-stdin", typed=f"{fake.token}\n")
    assert (ended.code, "--url" in ended.err, fake.asked) == (2, True, [])
    with_fake.at_a_terminal()
    assert with_fake("login", "--token-stdin", typed=f"n\n{fake.token}\n").code == 2
    assert fake.asked == []
    with_fake.done("login", "--token-stdin", typed=f"y\n{fake.token}\n")


def test_a_profile_signs_in_again_where_it_did_whatever_a_file_says(with_fake) -> None:
    with_fake.without_variables()
    config.keep(config.Profile("work", with_fake.world.url, "parley_old.secret"))
    config.write_project(with_fake.project, {"url": "http://127.0.0.1:9"})
    with_fake.done("login", "--profile", "work", "--token-stdin", typed=f"{with_fake.world.token}\n")
    assert config.profiles()["work"] == config.Profile("work", with_fake.world.url, with_fake.world.token)


def jwt(seconds: float) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


def test_a_browser_signs_in_and_the_token_is_renewed(with_fake) -> None:
    with_fake.without_variables()
    fake = with_fake.world
    # As a proxy in front of Parley may tell it: another address, the same path.
    fake.sign_in = {**SSO, "device_endpoint": "https://other/sso/device", "token_endpoint": "https://other/sso/token"}
    fake.token = jwt(10)  # renewed as soon as it is used
    begun = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://id/go", "expires_in": 600}
    second = jwt(600)
    away = {"status": 503, "message": "Keycloak is away."}
    fake.device_answers = [begun, {"error": "authorization_pending"}, away, {"error": "slow_down"}]
    fake.device_answers += [{"access_token": fake.token, "refresh_token": "r1"}]
    ended = with_fake.done("login", "--url", fake.url)
    assert "https://id/go" in ended.err and "ABCD" in ended.err
    fake.token = second
    fake.device_answers = [away]
    ended = with_fake("whoami")
    assert (ended.code, ended.err) == (7, "parley: Keycloak is away.\n")  # and not the end of the sign-in
    fake.device_answers = [{"access_token": second, "refresh_token": "r2"}]
    with_fake.done("whoami")
    kept = config.profiles()["default"]
    assert (kept.token, json.loads(kept.refresh)["token"]) == (second, "r2")
    with_fake.done("whoami")  # without asking for another


def test_who_does_not_agree_in_the_browser_is_not_signed_in(with_fake) -> None:
    with_fake.without_variables()
    fake = with_fake.world
    fake.sign_in = {**SSO, "device_endpoint": f"{fake.url}/sso/device", "token_endpoint": f"{fake.url}/sso/token"}
    fake.device_answers = [
        {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://id/go"},
        {"error": "access_denied", "error_description": "The person said no."},
    ]
    ended = with_fake("login", "--url", fake.url)
    assert (ended.code, "said no" in ended.err, config.profiles()) == (3, True, {})


def test_a_provider_that_stays_away_is_said(with_fake) -> None:
    with_fake.without_variables()
    fake = with_fake.world
    fake.sign_in = {**SSO, "device_endpoint": f"{fake.url}/sso/device", "token_endpoint": f"{fake.url}/sso/token"}
    begun = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://id/go", "expires_in": 60}
    fake.device_answers = [begun, *[{"status": 502}] * 20]
    ended = with_fake("login", "--url", fake.url)
    assert (ended.code, "single sign-on" in ended.err, "(502)" in ended.err) == (7, True, True)
    fake.device_answers = [{"status": 502}]
    assert with_fake("login", "--url", fake.url).code == 7


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    code = "import sys; import parley_cli.main; print(sorted({'requests', 'rich'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], env={"PYTHONPATH": SOURCE}, text=True) == "[]\n"


# --- Which Parley is meant --------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PARLEY_URL", "PARLEY_TOKEN", "PARLEY_PROFILE", "PARLEY_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bot" / "data"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_variables_win_over_profiles_and_an_option_over_both(home, monkeypatch) -> None:
    config.keep(config.Profile("default", "https://one.example.com", "t1"))
    config.keep(config.Profile("two", "https://two.example.com", "t2"))
    assert config.target(None, None) == config.Target("https://one.example.com", "t1", "default", "default")
    monkeypatch.setenv("PARLEY_URL", "https://ci.example.com/api/")
    monkeypatch.setenv("PARLEY_TOKEN", "t3")
    assert config.target(None, "inn") == config.Target("https://ci.example.com", "t3", "inn", None)
    assert config.target("two", None).token == "t2"


def test_the_file_of_a_project_chooses_among_profiles_and_sends_no_token_elsewhere(home) -> None:
    config.keep(config.Profile("default", "https://one.example.com", "t1"))
    config.keep(config.Profile("two", "https://two.example.com", "t2"))
    config.write_project(home.parent, {"url": "https://two.example.com", "project": "inn"})
    assert config.target(None, None) == config.Target("https://two.example.com", "t2", "inn", "two")
    config.write_project(home.parent, {"url": "https://evil.example.com", "project": "inn"})
    with pytest.raises(Failure, match="not signed in at https://evil"):
        config.target(None, None)


def test_a_token_without_an_address_goes_to_no_address_of_a_file(home, monkeypatch) -> None:
    config.write_project(home.parent, {"url": "https://evil.example.com"})
    monkeypatch.setenv("PARLEY_TOKEN", "t3")
    with pytest.raises(Failure, match="PARLEY_URL is not"):
        config.target(None, None)
    config.keep(config.Profile("default", "https://evil.example.com", "t1"))
    with pytest.raises(Failure, match="PARLEY_URL is not"):
        config.target(None, None)
    assert config.target("default", None).token == "t1"


def test_a_file_whose_lines_disagree_is_not_followed(home) -> None:
    config.keep(config.Profile("two", "https://two.example.com", "t2"))
    config.write_project(home.parent, {"url": "https://one.example.com", "profile": "two"})
    with pytest.raises(Failure, match=r"names https://one\.example\.com, but its profile two"):
        config.target(None, None)
    assert config.target("two", None).token == "t2"
    config.write_project(home.parent, {"url": "https://two.example.com/api/", "profile": "two"})
    assert config.target(None, None).token == "t2"


@pytest.mark.parametrize(
    "text", ["url = https://x", 'other = "x"', "[project]", 'url = "x" "y"', r'project = "C:\Users"']
)
def test_a_file_that_is_not_understood_says_where(home, text) -> None:
    (home / ".parley.toml").write_text(f"# ours\n{text}\n")
    with pytest.raises(Failure, match="line 2"):
        config.target(None, None)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("parley.example.com", "https://parley.example.com"),
        ("localhost:8000/", "http://localhost:8000"),
        ("https://x.example.com/tools/api/", "https://x.example.com/tools"),
        ("http://x.example.com:80", "http://x.example.com:80"),
    ],
)
def test_addresses_as_people_type_them(typed: str, url: str) -> None:
    assert config.base_url(typed) == url


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_file_of_windows_is_read(home, mark) -> None:
    (home / ".parley.toml").write_bytes(mark + b"url = 'https://one.example.com'\r\n")
    assert config.project_settings(home) == {"url": "https://one.example.com"}


def test_a_file_that_is_no_text_is_said(home) -> None:
    (home / ".parley.toml").write_bytes(b"url = '\xff'\n")
    with pytest.raises(Failure, match="not text in UTF-8"):
        config.target(None, None)


@pytest.mark.parametrize("token", ["parley_\N{EURO SIGN}", "parley_a b", "parley_a\nb"])
def test_what_is_no_token(with_fake, token) -> None:
    with_fake.variable("PARLEY_TOKEN", token)
    ended = with_fake("models")
    assert (ended.code, "no token" in ended.err, with_fake.world.asked) == (3, True, [])


@pytest.mark.parametrize(
    "typed",
    ["ftp://x", "https://", "https://me:secret@x.example.com", "http://localhost:abc", "http://[::1", "https://a b"],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(Failure):
        config.base_url(typed)
