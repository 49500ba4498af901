from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.embedded.folders import Folders
from tests.embedded.installation import Installation, open_folder, remove


@pytest.fixture
def installations() -> Iterator[Callable[[], Installation]]:
    """Makes installations, and removes them with all their processes afterwards."""
    made: list[Installation] = []

    def make() -> Installation:
        made.append(Installation(open_folder()))
        return made[-1]

    yield make
    for installation in made:
        installation.clean()


@pytest.fixture
def folders() -> Iterator[Folders]:
    """The folders of an installation that nothing runs in yet."""
    found = Folders(open_folder() / "data")
    found.make()
    yield found
    remove(found)


@pytest.fixture
def private_folders(tmp_path: Path) -> Iterator[Folders]:
    """The same below a folder that is closed to all but its owner, as root's home is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = Folders(closed / "data")
    found.make()
    yield found
    remove(found)
