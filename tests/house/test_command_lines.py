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
BEFORE_A_COMMAND = {"if", "elif", "while", "until", "then", "else", "do", "!", "{", "("}
FILE = re.compile(r"\$\$?\((?:cat\b|<)[^)]*\)|`(?:cat\b|<)[^`]*`")
SECRET = re.compile(r"\$\{?(?!\w*_FILE\b)\w*(SECRET|TOKEN|PASSWORD|KEY)\w*\}?", re.IGNORECASE)
# None goes on in another line: one that is not closed would hide all up to the next.
QUOTED = r"""(?P<single>'[^'\n]*')|(?P<double>"(?:\\.|[^"\\\n])*")"""
COMMENT = re.compile(rf"{QUOTED}|(?:^|(?<=[\s;|&(]))#.*", re.MULTILINE)
HEREDOC = re.compile(r"(?<!<)<<-?[ ]*(['\"]?)(\w*)\1([^\n]*)\n(?:.*?\n)??\t*\2(?=\n|\Z)", re.DOTALL)
SCRIPTS = sorted(path for path in (CHECKOUT / "deploy").rglob("*.sh"))
CHART = sorted(path for path in (CHECKOUT / "deploy/helm/parley").rglob("*") if path.suffix in {".yaml", ".tpl"})


def seen(script: str) -> list[str]:
    """Words of a shell script that hold a secret and that another process is started with."""
    plain = COMMENT.sub(lambda found: found[0] if found.lastgroup else "", script)
    plain = HEREDOC.sub(r"\3", plain).replace("\\\n", " ")
    marked = SECRET.sub("THE_SECRET", FILE.sub("THE_SECRET", re.sub(QUOTED, _as_a_word, plain)))
    return [word for line in re.split(r"[;\n|&]", marked) for word in _given(line) if "THE_SECRET" in word]


def _as_a_word(quoted: re.Match[str]) -> str:
    """Nothing is filled in within single quotes; within double ones no command ends."""
    return "''" if quoted["single"] else re.sub(r"[;|&]", "_", quoted[0])


def _given(line: str) -> Iterator[str]:
    """The words behind a command's name; none of the shell's own."""
    words = _words(line)
    while words and (re.match(r"\w+=", words[0]) or words[0] in BEFORE_A_COMMAND or words[0].endswith(")")):
        words.pop(0)
    if words and words[0] not in OF_THE_SHELL:
        yield from words[1:]


def _words(line: str) -> list[str]:
    """What stands in quotes is one; a line with a quote that goes on in the next is split at each space."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


@pytest.mark.parametrize(
    ("script", "is_seen"),
    [
        ('psql --set parley="$(cat /run/secrets/database_password)"', True),
        ("A=1 redis-server --requirepass $(cat /run/secrets/redis_password)", True),
        ('rasa run --auth-token "$RASA_AUTH_TOKEN"', True),
        ("export A=$(cat /run/secrets/a); exec server", False),
        ("REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli ping", False),
        ("entry.py run '--auth-token=$(RASA_AUTH_TOKEN)'", False),
        ("psql --set parley=$(</run/secrets/database_password)", True),
        ("psql --set parley=`cat /run/secrets/database_password`", True),
        ('for name; do\n    server --password "$password"\ndone', True),
        ('printf x | psql --set "a b=$TOKEN; c"', True),
        ('A="of $TOKEN; and" server', False),
        ('[ -z "$TOKEN" ] || server --file "$TOKEN_FILE"', False),
        ('if [ -z "$TOKEN" ]; then exit 1; fi', False),
        ('case $role in\n    rasa) export A="$TOKEN" ;;\nesac', False),
        ("# one's comment \\\nserver \"$TOKEN\" # another's", True),
        ('server "#" "$TOKEN"', True),
        ('server $# "$TOKEN"', True),
        ("psql --quiet <<'SQL'\n\\set it's `cat /run/secrets/a`\nSQL\n", False),
        ("psql --quiet <<'SQL'\nSELECT 1;\nSQL\nserver $TOKEN\n", True),
        ("psql <<SQL --set a=$TOKEN\nSELECT 1;\nSQL\n", True),
        ("psql <<''\nSELECT '$TOKEN';\n\nserver $TOKEN\n", True),
        ("psql <<''\nSELECT '$TOKEN';\n", False),
        ('psql <<< "it" "$TOKEN"\n', True),
    ],
)
def test_what_is_seen(script, is_seen) -> None:
    assert bool(seen(script)) == is_seen


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_of_scripts(path) -> None:
    assert seen(path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_it_reads_all_of_each_script(path) -> None:
    """A secret is found behind every line that ends a command, but for what a heredoc hands to its program."""
    lines = path.read_text().splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines, 1) if not line.endswith("\\\n")]
    planted = ["".join([*lines[:end], 'psql --set "a=$a_password"\n', *lines[end:]]) for end in ends]
    blind = [end for end, script in zip(ends, planted, strict=True) if not seen(script)]
    assert blind == heredocs(lines)


def heredocs(lines: list[str]) -> list[int]:
    """Numbers of the lines from one that begins it to the last of it."""
    found, end = [], None
    for number, line in enumerate(lines, 1):
        if begun := re.search(r"<<'(\w+)'$", line):
            end = begun[1]
        elif line.strip() == end:
            end = None
        if end:
            found.append(number)
    return found


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


WORKER = 'include "parley.worker"'  # its arguments are given where it is used


def written(text: str) -> Iterator[str]:
    """Each `args:` and `command:` of a chart's file, with the lines of its list."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if WORKER in line:
            yield line
        if found := re.search(r"^(\s*(?:- )*)(?:.*?[{,]\s*)?\b(args|command):(.*)", line):
            yield "\n".join([line, *_list_of(found[3], len(found[1]), lines[number + 1 :])])


def _list_of(begun: str, indent: int, below: list[str]) -> Iterator[str]:
    """Lines that go on with a list: within its brackets, deeper than its name, or its items at the name's depth."""
    depth = begun.count("[") - begun.count("]")
    for line in below:
        own = len(line) - len(line.lstrip())
        is_item = own == indent and line.lstrip().startswith("- ")
        if line.strip() and depth <= 0 and own <= indent and not is_item:
            return
        depth += line.count("[") - line.count("]")
        yield line


def is_told(command: str) -> bool:
    """Kubernetes fills $(NAME) in; a chart has no other way to a secret in an argument but its own values."""
    return "$(" in command or bool(re.search(r"secret|token|password|key", command, re.IGNORECASE))


@pytest.mark.parametrize(
    "text",
    [
        "  args: [run, --token=$(A)]",
        "  args:\n  - run\n  - --token=$(A)\n",
        "  args:\n    - run\n\n    - $(A)\n  env: []",
        "  args: [\n  run,\n$(A)]\n",
        "- command: >-\n    run $(A)\n",
        "exec: { command: [run, $(A)] }",
        "args: {{ .Values.secret.name }}",
        '{{ include "parley.worker" (list . "training" (list "training" "$(A)") "training-worker" true) }}',
    ],
)
def test_what_a_chart_tells(text) -> None:
    assert any(is_told(command) for command in written(text))


def test_what_stands_beside_a_list_is_none_of_it() -> None:
    assert list(written("  args:\n  - run\n  env:\n  - value: $(A)")) == ["  args:\n  - run"]
    assert list(written("- args: [run]\n  value: $(A)")) == ["- args: [run]"]


def test_of_the_chart() -> None:
    found = [command for path in CHART for command in written(path.read_text())]
    assert len(found) >= 12  # six workers, and what is written out: two of a worker's probes among them
    assert [command for command in found if is_told(command)] == []
