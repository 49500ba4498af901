"""No secret stands on a command line that this checkout writes: every user of a machine can read those of all.

What runs is looked at in tests/stack/test_command_lines.py and tests/rasa/test_processes.py.
"""

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.house.test_container_files import SERVICES
from tests.house.test_settings import CHECKOUT

OF_THE_SHELL = {"export", "printf", "eval", "set", "["}  # no process is started, nobody else sees what they are given
FILE = re.compile(r"\$\$?\(cat [^)]*\)")
SECRET = re.compile(r"\$\{?\w*(SECRET|TOKEN|PASSWORD|KEY)\w*\}?(?!_FILE)")
QUOTED = re.compile(r"'[^']*'")
SCRIPTS = sorted(path for path in (CHECKOUT / "deploy").rglob("*.sh"))
CHART = sorted((CHECKOUT / "deploy/helm/parley").rglob("*.yaml"))


def seen(script: str) -> list[str]:
    """Words of a shell script that hold a secret and that another process is started with."""
    plain = QUOTED.sub("''", script.replace("\\\n", " "))
    plain = re.sub(r"#.*", "", re.sub(r"<<''\n.*", "", plain, flags=re.DOTALL))
    marked = SECRET.sub("THE_SECRET", FILE.sub("THE_SECRET", plain))
    return [word for line in re.split(r"[;\n]|&&|\|\|", marked) for word in _given(line) if "THE_SECRET" in word]


def _given(line: str) -> Iterator[str]:
    """The words behind a command's name; none of the shell's own."""
    words = shlex.split(line.replace("'", "").replace('"', " "))
    while words and re.match(r"\w+=", words[0]):
        words.pop(0)
    if words and words[0] not in OF_THE_SHELL:
        yield from words[1:]


@pytest.mark.parametrize(
    ("script", "is_seen"),
    [
        ('psql --set parley="$(cat /run/secrets/database_password)"', True),
        ("A=1 redis-server --requirepass $(cat /run/secrets/redis_password)", True),
        ('rasa run --auth-token "$RASA_AUTH_TOKEN"', True),
        ("export A=$(cat /run/secrets/a); exec server", False),
        ("REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli ping", False),
        ("entry.py run '--auth-token=$(RASA_AUTH_TOKEN)'", False),
    ],
)
def test_what_is_seen(script, is_seen) -> None:
    assert bool(seen(script)) == is_seen


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_of_scripts(path) -> None:
    assert seen(path.read_text()) == []


def commands(service: dict) -> Iterator[list[str]]:
    for command in (service.get("entrypoint"), service.get("command"), service.get("healthcheck", {}).get("test")):
        if command is not None:
            yield command if isinstance(command, list) else [command]


@pytest.mark.parametrize("name", SERVICES)
def test_of_services(name) -> None:
    """Compose fills in ${…} itself, and then it stands there: none of a secret may be in any word."""
    for command in commands(SERVICES[name]):
        for word in command:
            assert seen(word.replace("$$", "$")) == [], name
            assert not SECRET.search(word.replace("$$", "")), name


def test_of_the_chart() -> None:
    """Kubernetes fills $(NAME) in; a chart has no other way to a secret in an argument but its own values."""
    written = [
        line for path in CHART for line in path.read_text().splitlines() if re.search(r"\b(args|command):", line)
    ]
    assert len(written) >= 3
    assert not [line for line in written if "$(" in line or re.search(r"secret|token|password", line, re.IGNORECASE)]
