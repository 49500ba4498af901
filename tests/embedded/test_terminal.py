import io

import pytest

from studio.embedded.terminal import Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_step_is_one_plain_line() -> None:
    stream = io.StringIO()
    with Step("Doing it", stream):
        pass
    assert stream.getvalue().startswith("  Doing it: done (")
    assert stream.getvalue().count("\n") == 1


def test_on_a_terminal_the_line_is_written_over() -> None:
    stream = Terminal()
    with Step("Doing it", stream):
        pass
    assert stream.getvalue().count("\n") == 1
    assert "\r" in stream.getvalue()


def test_a_step_that_fails_says_so() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), Step("Doing it", stream):
        raise ValueError("no")
    assert "stopped" in stream.getvalue()
