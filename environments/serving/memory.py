"""Whether this machine can hold one more Rasa server."""

from pathlib import Path

NEEDED_BYTES = 600 * 1024**2  # a light model's server takes 575 MB; one with DIET and TED 1.1 GB
MEGABYTE = 1_000_000


def available(table: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that new programs can have without swapping; None where the system does not tell."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def shortage(free: int | None, needed: int | None = None) -> str:
    """A sentence when `free` bytes are too few for a server that takes `needed`, else nothing."""
    needed = max(needed or 0, NEEDED_BYTES)
    if free is None or free >= needed:
        return ""
    return (
        f"This machine has {free // MEGABYTE} MB of memory left, and a Rasa server needs "
        f"{needed // MEGABYTE} MB. Stop another server, or give the machine more memory."
    )
