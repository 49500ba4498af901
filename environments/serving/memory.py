"""Whether this machine, or the container that we run in, can hold one more Rasa server."""

from collections.abc import Iterator
from pathlib import Path

from studio.rasa.running import in_cluster

NEEDED_BYTES = 600 * 1024**2  # a light model's server takes 575 MB; one with DIET and TED 1.1 GB
MEGABYTE = 1_000_000
# Of a control group: its limit, what it uses, and what of that it gives up when it must (cgroup v2, then v1).
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def for_servers() -> int | None:
    """Bytes that one more server can have; None in a cluster, which finds a machine for it."""
    return None if in_cluster() else available()


def available(root: Path = Path("/")) -> int | None:
    """Bytes that new programs can have without swapping or reaching a limit; None where the system does not tell."""
    found = [_of_machine(root / "proc/meminfo"), *map(_of_group, _groups(root))]
    return min((one for one in found if one is not None), default=None)


def _of_machine(table: Path) -> int | None:
    kilobytes = _facts(table).get("MemAvailable")
    return None if kilobytes is None else kilobytes * 1024


def _groups(root: Path) -> Iterator[Path]:
    """Our own control group and those above it, each of which may have a limit."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
        else:
            continue
        own = top / path.strip("/")
        yield from (one for one in (own, *own.parents) if one == top or top in one.parents)


def _of_group(folder: Path) -> int | None:
    """None without a limit, and for a folder that is not there: a container sees its own group as the top."""
    for limit_name, used_name, cache_name in (_V2, _V1):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and used is not None:
            return max(0, limit - max(0, used - _facts(folder / "memory.stat").get(cache_name, 0)))
    return None


def _number(file: Path) -> int | None:
    """None also for `max`, which is no limit. What v1 says instead is more than any machine has."""
    text = "".join(_lines(file)).strip()
    return int(text) if text.isdecimal() else None


def _facts(file: Path) -> dict[str, int]:
    """Of lines such as `MemAvailable:  123 kB` or `inactive_file 123`."""
    words = (line.split() for line in _lines(file))
    return {one[0].rstrip(":"): int(one[1]) for one in words if len(one) > 1 and one[1].isdecimal()}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except (OSError, UnicodeError):
        return []


def shortage(free: int | None, needed: int | None = None) -> str:
    """A sentence when `free` bytes are too few for a server that takes `needed`, else nothing."""
    needed = max(needed or 0, NEEDED_BYTES)
    if free is None or free >= needed:
        return ""
    return (
        f"This machine has {free // MEGABYTE} MB of memory left, and a Rasa server needs "
        f"{needed // MEGABYTE} MB. Stop another server, or give the machine more memory."
    )
