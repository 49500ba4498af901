import subprocess
import sys
from pathlib import Path

import pytest

from studio.embedded import leftovers
from studio.embedded.folders import Folders
from tests.embedded.installation import wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(100)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(100)",
]


def test_processes_with_our_mark_are_found_and_ended(folders: Folders) -> None:
    with subprocess.Popen(SLEEP, env={leftovers.MARK: str(folders.data)}) as ours:
        wait_until(lambda: [found.pid for found in leftovers.find(folders)] == [ours.pid], "it to be found")
        assert leftovers.end(folders) == 1
        assert leftovers.find(folders) == []


def test_processes_of_another_installation_are_left_alone(folders: Folders) -> None:
    with subprocess.Popen(SLEEP, env={leftovers.MARK: f"{folders.data}-other"}) as other:
        theirs = f"{folders.data}-other".encode()
        environment = Path(f"/proc/{other.pid}/environ")
        wait_until(lambda: theirs in environment.read_bytes(), "it to have its mark")
        assert leftovers.end(folders) == 0
        assert other.poll() is None
        other.kill()


def test_one_that_does_not_listen_is_killed(folders: Folders) -> None:
    with subprocess.Popen(DEAF, env={leftovers.MARK: str(folders.data)}, stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        assert leftovers.end(folders, grace=0.2) == 1
        assert leftovers.find(folders) == []


def test_the_process_that_looks_is_never_among_them(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from pathlib import Path; from studio.embedded import leftovers; "
        "from studio.embedded.folders import Folders; print(leftovers.find(Folders(Path(sys.argv[1]))))"
    )
    monkeypatch.setenv(leftovers.MARK, str(folders.data))
    command = [sys.executable, "-c", code, str(folders.data)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
