"""Blocks of the documentation that are for other programs: those programs read or run them."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from tests.docs.pages import CHECKOUT, Block, block_of, blocks
from tests.environments.installation import database_url
from tests.stack.certificates import Authority
from tests.stack.programs import free_port, need

pytestmark = pytest.mark.stack

SEVERAL, ONE = "docs/several-machines.md", "docs/one-machine.md"
SIGN_IN = "/sign-in"


def test_the_two_keys_are_keys() -> None:
    need("openssl", "openssl")
    lines = block_of(SEVERAL, "openssl")
    made = subprocess.run(["bash", "-e", "-c", lines], capture_output=True, text=True, check=True).stdout.split()
    assert len(made[0]) == 64
    assert Fernet(made[1])


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_systemd_takes_the_unit(block: Block, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine, and no other program reads units")
    unit = tmp_path / "parley.service"
    unit.write_text(block.text.replace("/srv/parley", str(CHECKOUT)))
    ended = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    ours = [line for line in ended.stderr.splitlines() if "parley.service" in line]
    assert (ended.returncode, ours) == (0, [])


def test_promtool_takes_the_rules() -> None:
    need("promtool", "prometheus")
    lines = block_of("docs/monitoring.md", "promtool")
    assert (
        "FAILED"
        not in subprocess.run(
            ["bash", "-e", "-c", lines], cwd=CHECKOUT, capture_output=True, text=True, check=True
        ).stdout
    )


@pytest.mark.django_db(transaction=True)
def test_a_machine_is_prepared_with_the_settings_of_its_file(tmp_path: Path) -> None:
    ours = {name: value for name, value in os.environ.items() if name.startswith(("PARLEY_", "REDIS_URL"))}
    told = {
        **ours,
        "DATABASE_URL": database_url(),
        "PARLEY_STATIC": str(tmp_path),
        "PARLEY_URL": "https://parley.example",
    }
    settings = tmp_path / "parley.env"
    settings.write_text("".join(f"{name}='{value}'\n" for name, value in told.items()))
    ours = {"/srv/parley": str(CHECKOUT), "/etc/parley.env": str(settings)}
    lines = block_of(
        SEVERAL, "cd /srv/parley\nset -a; . /etc/parley.env; set +a\n.venv/bin/python manage.py prepare", ours
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(["bash", "-e", "-c", lines], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    facts = json.loads(ended.stdout.splitlines()[-1])
    assert facts["link"].startswith("https://parley.example/") and facts["password"]


@contextmanager
def web(port: int, **variables: str) -> Iterator[None]:
    """The line of docs/several-machines.md, at another port and on the database of the tests."""
    [line] = block_of(SEVERAL, ".venv/bin/python -m gunicorn", {"0.0.0.0:8000": f"127.0.0.1:{port}"}).splitlines()
    environment = {**os.environ, "DATABASE_URL": database_url(), "PARLEY_WEB_WORKERS": "1", **variables}
    collect = [".venv/bin/python", "manage.py", "collectstatic", "--no-input", "--verbosity=0"]
    subprocess.run(collect, cwd=CHECKOUT, env=environment, check=True)
    process = subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=CHECKOUT, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", process)
        yield
    finally:
        process.terminate()
        process.wait(90)


def _wait(address: str, process: subprocess.Popen[bytes], ca: str | bool = True) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        assert process.poll() is None, "it ended"
        try:
            requests.get(address, timeout=30, verify=ca)
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


@contextmanager
def nginx(folder: Path, block: str) -> Iterator[subprocess.Popen[bytes]]:
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{name}_temp_path {folder}/{name};" for name in places)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\nhttp {{\naccess_log off;\n{paths}\n{block}\n}}\n"
    )
    process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-e", folder / "log"])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.django_db(transaction=True)
def test_the_proxy_s_block_brings_browsers_to_the_web_by_https(tmp_path: Path) -> None:
    need("nginx", "nginx")
    inner, outer = free_port(), free_port()
    key, certificate, authority = _tls(tmp_path)
    ours = {
        "listen 443": f"listen 127.0.0.1:{outer}",
        "127.0.0.1:8000": f"127.0.0.1:{inner}",
        "/etc/ssl/parley/fullchain.pem": certificate,
        "/etc/ssl/parley/key.pem": key,
    }
    block = block_of(ONE, "server {", ours)
    address = f"https://127.0.0.1:{outer}"
    variables = {"PARLEY_URL": address, "PARLEY_TRUSTED_PROXIES": "1", "PARLEY_STATIC": str(tmp_path / "static")}
    with web(inner, **variables), nginx(tmp_path, block) as process:
        _wait(address + SIGN_IN, process, authority)
        page = requests.get(address + SIGN_IN, verify=authority, timeout=10)
        plain = requests.get(f"http://127.0.0.1:{inner}{SIGN_IN}", allow_redirects=False, timeout=10)
    assert (page.status_code, plain.status_code) == (200, 301)
    assert "max-age" in page.headers["Strict-Transport-Security"]
    assert "Secure" in page.headers["Set-Cookie"]


def _tls(folder: Path) -> tuple[str, str, str]:
    """Files: the key of a server at 127.0.0.1, its certificate, and the authority that signed that."""
    authority = Authority("Tests of the documentation")
    pieces = (*authority.issue("parley", address="127.0.0.1"), authority.pem)
    paths = [folder / name for name in ("key.pem", "fullchain.pem", "authority.pem")]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_text(piece)
    return str(paths[0]), str(paths[1]), str(paths[2])
