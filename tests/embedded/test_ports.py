import socket
from pathlib import Path

import pytest

from studio.embedded.errors import LaunchError
from studio.embedded.ports import free_port, kept_port, problem_with


def test_a_free_port_is_no_problem() -> None:
    assert problem_with("127.0.0.1", free_port()) is None


@pytest.mark.parametrize("taken_at", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_listens_on_is_in_use(taken_at: str) -> None:
    with socket.create_server((taken_at, 0)) as server:
        assert problem_with("127.0.0.1", server.getsockname()[1]) == "is in use"


def test_an_address_that_is_not_ours_is_named_as_the_problem() -> None:
    assert "cannot be used" in str(problem_with("192.0.2.1", free_port()))


def test_a_port_is_chosen_once(tmp_path: Path) -> None:
    note = tmp_path / "port"
    assert kept_port(note, None) == kept_port(note, None)


def test_a_kept_port_that_another_program_took_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "port").write_text(str(server.getsockname()[1]))
        with pytest.raises(LaunchError, match="PARLEY_POSTGRES_PORT"):
            kept_port(tmp_path / "port", None)
