"""How much memory is left: of the machine, and of the container in it."""

from pathlib import Path

import pytest

from environments.serving.memory import available, shortage

MB = 1024**2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "proc/meminfo", f"MemTotal: 9000000 kB\nMemAvailable:    {4000 * 1024} kB\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def limit(root: Path, group: str, most: str, used: int, cache: int) -> None:
    """As cgroup v2 tells it, in MB."""
    write(root, f"sys/fs/cgroup{group}/memory.max", f"{int(most) * MB if most.isdecimal() else most}\n")
    write(root, f"sys/fs/cgroup{group}/memory.current", f"{used * MB}\n")
    write(root, f"sys/fs/cgroup{group}/memory.stat", f"anon 1\ninactive_file {cache * MB}\nslab 7\n")


def test_without_a_limit_the_machine_counts(root: Path):
    assert available(root) == 4000 * MB
    write(root, "proc/self/cgroup", "0::/\n")
    limit(root, "", "max", 100, 0)
    assert available(root) == 4000 * MB


def test_a_containers_limit_counts_less_what_it_uses_and_cannot_give_up(root: Path):
    write(root, "proc/self/cgroup", "0::/\n")
    limit(root, "", "1000", 700, 300)
    assert available(root) == 600 * MB


def test_a_limit_beyond_what_the_machine_has_left_does_not_count(root: Path):
    write(root, "proc/self/cgroup", "0::/\n")
    limit(root, "", "9000", 700, 300)
    assert available(root) == 4000 * MB


def test_the_narrowest_of_all_groups_above_counts(root: Path):
    write(root, "proc/self/cgroup", "0::/system.slice/parley.service\n")
    limit(root, "/system.slice/parley.service", "3000", 100, 0)
    limit(root, "/system.slice", "2000", 1500, 0)
    assert available(root) == 500 * MB


def test_a_container_that_sees_its_group_by_the_hosts_name_finds_it_at_the_top(root: Path):
    write(root, "proc/self/cgroup", "0::/docker/0123abcd\n")
    limit(root, "", "1000", 900, 0)
    assert available(root) == 100 * MB


def test_version_one_of_control_groups(root: Path):
    write(root, "proc/self/cgroup", "11:cpu,cpuacct:/\n4:memory:/docker/0123\n0::/\n")
    folder = "sys/fs/cgroup/memory"
    write(root, f"{folder}/memory.limit_in_bytes", "9223372036854771712\n")
    write(root, f"{folder}/memory.usage_in_bytes", f"{700 * MB}\n")
    assert available(root) == 4000 * MB
    write(root, f"{folder}/memory.limit_in_bytes", f"{1000 * MB}\n")
    write(root, f"{folder}/memory.stat", f"cache 1\ninactive_file 5\ntotal_inactive_file {300 * MB}\n")
    assert available(root) == 600 * MB


def test_a_full_container_has_nothing_left(root: Path):
    write(root, "proc/self/cgroup", "0::/\n")
    limit(root, "", "1000", 1001, 0)
    assert available(root) == 0
    assert "0 MB of memory left" in shortage(available(root))


def test_a_system_that_does_not_tell(tmp_path: Path):
    assert available(tmp_path) is None
    assert shortage(None) == ""
