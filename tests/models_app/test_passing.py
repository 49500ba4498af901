"""An archive that is looked into while it passes on its way."""

import io
import os
import threading

import pytest

from studio.rasa.archive import ArchiveError
from studio.rasa.passing import AHEAD, Passing
from tests.models_app.archives import METADATA, model_archive


def through(passing: Passing, size: int = 1000) -> bytes:
    read = b""
    while piece := passing.read(size):
        read += piece
    return read


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_everything_passes_and_its_facts_are_known_then(size: int) -> None:
    content = model_archive()
    with Passing(io.BytesIO(content)) as passing:
        assert through(passing, size) == content
        assert passing.facts().model_id == METADATA["model_id"]


def test_what_is_no_archive_passes_to_its_end_before_it_is_refused() -> None:
    content = os.urandom(100_000)
    with Passing(io.BytesIO(content)) as passing:
        assert through(passing) == content
        with pytest.raises(ArchiveError, match="not a gzip archive"):
            passing.facts()


def test_a_source_that_breaks_leaves_no_thread() -> None:
    class Broken:
        def __init__(self) -> None:
            self.pieces = [model_archive()[:100]] * (AHEAD + 2)

        def read(self, _size: int, /) -> bytes:
            if not self.pieces:
                raise OSError("cut")
            return self.pieces.pop()

    before = threading.active_count()
    with pytest.raises(OSError, match="cut"), Passing(Broken()) as passing:
        through(passing)
    assert threading.active_count() == before


def test_nobody_has_to_read_it() -> None:
    with Passing(io.BytesIO(model_archive())):
        pass
