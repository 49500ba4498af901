import os

from studio.rasa.disk import room_of


def test_what_others_hold_as_well_takes_room_and_is_not_freed(tmp_path):
    folder, cache = tmp_path / "3.6.20", tmp_path / "cache"
    (folder / "lib").mkdir(parents=True)
    cache.mkdir()
    (folder / "lib" / "own").write_bytes(b"x" * 50_000)
    (cache / "shared").write_bytes(b"x" * 200_000)
    os.link(cache / "shared", folder / "lib" / "shared")
    room = room_of(folder)
    assert 250_000 <= room.size < 300_000
    assert 50_000 <= room.freed < 100_000


def test_a_file_with_two_names_in_the_folder_counts_once(tmp_path):
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "one", tmp_path / "two")
    room = room_of(tmp_path)
    assert room.size == room.freed
    assert 100_000 <= room.size < 150_000


def test_a_folder_that_is_gone_takes_none(tmp_path):
    assert room_of(tmp_path / "none").size == 0
