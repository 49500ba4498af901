"""The launcher with everything that it starts: real servers, a real web."""

import socket
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis

from tests.embedded.installation import Installation, open_folder, wait_until

pytestmark = pytest.mark.stack
Make = Callable[[], Installation]


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    installation = Installation(open_folder())
    try:
        installation.start()
        yield installation
    finally:
        installation.clean()


def test_it_says_where_it_is_and_how_to_sign_in(running: Installation) -> None:
    said = running.said()
    assert f"http://localhost:{running.port}\n" in said
    assert "User name   admin" in said
    assert "Password" in said
    assert f"http://localhost:{running.port}/sign-in/" in said


def test_its_web_answers(running: Installation) -> None:
    assert running.answers()


def test_its_password_is_written_nowhere(running: Installation) -> None:
    password = running.said().split("Password")[1].split()[0]
    files = [path for folder in (running.folders.logs, running.folders.run) for path in folder.rglob("*")]
    assert [path.name for path in files if path.is_file() and password in path.read_text(errors="replace")] == []


def test_manage_py_typed_by_hand_finds_the_same_database(running: Installation) -> None:
    code = "from studio.access.models import User; print(User.objects.get())"
    assert running.manage("shell", "-v", "0", "-c", code) == "admin"


def test_a_second_launcher_on_the_same_data_is_refused(running: Installation) -> None:
    second = Installation(running.folders.data.parent)
    second.output = running.folders.data.parent / "output-of-the-second"
    second.launch()
    assert second.exit_code() == 1
    assert "running with this data already" in second.said()
    assert running.answers()


@pytest.mark.parametrize("program", ["postgres", "redis-server", "gunicorn"])
def test_a_program_that_dies_is_started_again(running: Installation, program: str) -> None:
    before = running.process(program)
    before.kill()
    wait_until(lambda: not before.is_running(), f"{program} to die")
    wait_until(lambda: _is_back(running), f"{program} to come back")


def test_a_supervisor_that_dies_is_started_again_with_everything(running: Installation) -> None:
    before = running.process("supervisor.supervisord")
    before.kill()
    wait_until(lambda: not before.is_running(), "the supervisor to die")
    wait_until(lambda: _is_back(running), "everything to come back")


def test_a_port_in_use_is_said_at_once_and_starts_nothing(installations: Make) -> None:
    installation = installations()
    with socket.create_server(("127.0.0.1", installation.port)):
        installation.launch()
        assert installation.exit_code() == 1
    assert f"Port {installation.port} is in use" in installation.said()
    assert "PORT=" in installation.said()
    assert installation.processes() == []


def test_after_kill_9_of_everything_the_next_start_has_lost_nothing(installations: Make) -> None:
    installation = installations()
    installation.start()
    with psycopg.connect(installation.setting("DATABASE_URL"), autocommit=True) as database:
        database.execute("CREATE TABLE kept AS SELECT 'a row' AS what")
    redis.Redis.from_url(installation.setting("REDIS_URL")).set("kept", "a key")

    installation.kill_everything()
    installation.start()

    with psycopg.connect(installation.setting("DATABASE_URL")) as database:
        assert database.execute("SELECT what FROM kept").fetchone() == ("a row",)
    assert redis.Redis.from_url(installation.setting("REDIS_URL")).get("kept") == b"a key"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_kill_9_of_the_launcher_alone_leaves_nothing_running(installations: Make) -> None:
    installation = installations()
    installation.start()
    assert installation.launcher is not None
    installation.launcher.kill()
    wait_until(lambda: installation.processes() == [], "every process to end")


def test_ctrl_c_ends_everything_also_a_program_that_hangs(installations: Make) -> None:
    installation = installations()
    installation.start()
    installation.process("gunicorn").suspend()  # it hears nothing but SIGKILL now
    assert installation.interrupt() == 0
    assert installation.processes() == []


def test_two_installations_run_side_by_side(running: Installation, installations: Make) -> None:
    other = installations()
    other.start()
    assert running.answers()
    assert other.answers()
    assert other.setting("DATABASE_URL") != running.setting("DATABASE_URL")
    assert other.interrupt() == 0
    assert running.answers()


def _is_back(installation: Installation) -> bool:
    """Web, PostgreSQL and Redis answer."""
    try:
        psycopg.connect(installation.setting("DATABASE_URL")).close()
        redis.Redis.from_url(installation.setting("REDIS_URL")).ping()
    except (psycopg.Error, redis.RedisError):
        return False
    return installation.answers()
