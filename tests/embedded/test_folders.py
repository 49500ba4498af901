import os
import pwd
import stat
from pathlib import Path

import pytest

from studio.embedded.folders import MAX_SOCKET_PATH, Folders, may_enter, socket_folder, write_private


def test_what_the_launcher_makes_is_closed_to_others(folders: Folders) -> None:
    made = [folders.run, folders.logs, folders.secrets, folders.redis]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in made} == {0o700}


def test_a_data_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    Folders(data).make()
    assert stat.S_IMODE(data.stat().st_mode) == 0o750


def test_a_private_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "text")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_short_path_keeps_its_sockets(folders: Folders) -> None:
    assert socket_folder(folders.run / "s", "a.sock") == folders.run / "s"


def test_a_long_path_gets_a_short_private_folder_that_is_kept(tmp_path: Path) -> None:
    wished = _long(tmp_path)
    short = socket_folder(wished, "a.sock")
    assert len(os.fsencode(short / "a.sock")) <= MAX_SOCKET_PATH
    assert stat.S_IMODE(short.stat().st_mode) == 0o700
    assert socket_folder(wished, "a.sock") == short
    short.rmdir()


def test_a_short_folder_that_others_may_write_is_not_taken_again(tmp_path: Path) -> None:
    wished = _long(tmp_path)
    first = socket_folder(wished, "a.sock")
    first.chmod(0o777)
    second = socket_folder(wished, "a.sock")
    assert second != first
    first.rmdir()
    second.rmdir()


def test_a_stranger_may_not_enter_below_a_closed_folder(private_folders: Folders) -> None:
    stranger = pwd.struct_passwd(("nobody-here", "", 64_000, 64_000, "", "/", "/bin/false"))
    assert not may_enter(private_folders.data, stranger)
    assert may_enter(Path("/"), stranger)


@pytest.mark.skipif(os.geteuid() == 0, reason="root's own user is not bound by permissions")
def test_one_may_enter_ones_own_folders(private_folders: Folders) -> None:
    assert may_enter(private_folders.data, pwd.getpwuid(os.geteuid()))


def _long(tmp_path: Path) -> Path:
    parent = tmp_path / ("long" * 25)
    parent.mkdir()
    return parent / "sockets"
