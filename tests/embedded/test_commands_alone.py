"""A backup is brought back beside PostgreSQL and Redis alone, which a stopped installation has not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.installation import Installation

pytestmark = pytest.mark.stack
COUNT = "from studio.access.models import User; print(sorted(User.objects.values_list('username', flat=True)))"


def says(installation: Installation, *arguments: str) -> str:
    installation.launch("manage", *arguments)
    code = installation.exit_code()
    assert code == 0, installation.said()
    assert not installation.processes()  # all of it is ended again
    return installation.said()


def test_a_stopped_installation_is_backed_up_changed_and_restored(
    installations: Callable[[], Installation], tmp_path: Path
) -> None:
    house = installations()
    says(house, "prepare")
    says(house, "backup", str(tmp_path / "backup"))
    says(house, "shell", "-v0", "-c", "from studio.access.models import User; User.objects.create(username='ann')")
    assert "['admin', 'ann']" in says(house, "shell", "-v0", "-c", COUNT)
    assert "as of" in says(house, "restore", str(tmp_path / "backup"), "--replace")
    house.start()
    assert house.answers() and house.manage("shell", "-v0", "-c", COUNT) == "['admin']"
    assert house.manage("migrate", "--check") == "The database is up to date."

    second = Installation(house.folders.data.parent)
    second.output = house.folders.data.parent / "output-of-the-second"
    second.launch("manage", "restore", str(tmp_path / "backup"), "--replace")
    assert second.exit_code() == 1 and "running with this data already" in second.said()
