"""What somebody sees who sits at a terminal of some width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

LONG = "20261128-120000-a-rather-long-name"
STYLE = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}  # what rich reads
STEERING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def look(with_fake):
    """Runs a `parley` of its own at a terminal so many columns wide; what comes there."""

    def look(columns: int, *words: str, **variables: str) -> str:
        source = os.pathsep.join(path for path in sys.path if path.endswith("cli/src"))
        inherited = {name: value for name, value in os.environ.items() if name not in STYLE}
        environment = {**inherited, "PYTHONPATH": source, "TERM": "xterm-256color", **variables}
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [sys.executable, "-m", "parley_cli", *words]
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:  # Linux says so at the end
            pass
        os.close(ours)
        assert process.wait() == 0
        return seen.decode().replace("\r\n", "\n")

    with_fake.world.add_model(LONG)
    with_fake.world.server()
    with_fake.world.promote(LONG, "production", "ada")
    with_fake.world.advance()
    return look


@pytest.mark.parametrize(("columns", "lines"), [(120, 2), (80, 2), (40, 6)])
def test_a_name_stays_in_one_piece(look, columns: int, lines: int) -> None:
    seen = STEERING.sub("", look(columns, "models")).splitlines()
    assert (len(seen), sum(LONG in line for line in seen)) == (lines, 1)
    assert max(map(len, seen)) <= max(columns, len(LONG) + 9)


def test_a_state_has_a_colour_unless_one_wants_none(look) -> None:
    assert "\x1b[32mrunning" in look(120, "status")
    assert "\x1b[32m" not in look(120, "status", NO_COLOR="1")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_bar_has_one_line_and_goes(with_fake, look, columns: int) -> None:
    (with_fake.project / "x.tar.gz").write_bytes(b"x" * 3_000_000)
    seen = look(columns, "upload", "x.tar.gz", "--name", LONG + "[bold]")
    assert "3.0/3.0 MB" in STEERING.sub("", seen)
    drawn = [line for line in re.split("[\r\n]", STEERING.sub("", seen)) if line]
    assert max(map(len, drawn)) <= max(columns, len(LONG) + 6)
    assert drawn[-1] == LONG + "[bold]"
    assert seen.count("\x1b[1A") == 1  # the one line of the bar is taken away
