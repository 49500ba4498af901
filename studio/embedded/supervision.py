"""The process supervisor: the file that tells it what to run, and talking to the one that runs."""

import http.client
import shlex
import socket
import sys
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders, socket_folder, write_private
from studio.embedded.postgres import wrapped
from studio.embedded.programs import APPLICATION, SERVICES, Program

_HEAD = """\
[supervisord]
nodaemon=true
silent=true
logfile={logs}/supervisor.log
logfile_maxbytes=5MB
logfile_backups=1
childlogdir={logs}
pidfile={run}/supervisor.pid

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

_GROUP = """
[group:{name}]
programs={programs}
priority={priority}
"""

# startretries: supervisor gives up after so many; the pause before each grows by a second.
_PROGRAM = """
[program:{name}]
command={command}
process_name={process_name}
numprocs={copies}
directory={folder}
autostart={autostart}
autorestart=true
startsecs={settled}
startretries=1000000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{process_name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor says of one process."""

    name: str
    state: str  # STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL
    pid: int  # 0 while there is none


class Supervisor:
    """One supervisor of one installation, reached at its socket."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.configuration = folders.run / "supervisor.conf"
        self.socket = socket_folder(folders.run / "supervisor", "supervisor.sock.12345678") / "supervisor.sock"

    def command(self) -> list[str]:
        """The program; it stays in the foreground. SIGTERM makes it stop everything, so that is its death signal."""
        return wrapped([sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)], None, "SIGTERM")

    def configure(self, programs: Iterable[Program]) -> None:
        """Write the file. Services start with the supervisor; our own programs when they are told to."""
        wanted = [program for program in programs if program.copies > 0]
        places = {"run": self.folders.run, "logs": self.folders.logs, "socket": self.socket}
        parts = [_HEAD.format(**{name: _escaped(str(path)) for name, path in places.items()})]
        groups = sorted({program.group for program in wanted}, key=lambda name: name != SERVICES)
        for place, group in enumerate(groups, start=1):  # started in this order, stopped in the reverse
            names = ",".join(program.name for program in wanted if program.group == group)
            parts.append(_GROUP.format(name=group, programs=names, priority=place))
        parts.extend(_program_text(program, self.folders.logs) for program in wanted)
        write_private(self.configuration, "".join(parts))

    def states(self) -> list[ProcessState]:
        """The state of every process; an OSError while the supervisor does not answer."""
        found = cast("list[dict[str, Any]]", self._proxy().supervisor.getAllProcessInfo())
        return [ProcessState(name=info["name"], state=info["statename"], pid=info["pid"]) for info in found]

    def start(self, name: str) -> None:
        """Start one of our own programs, without waiting for it."""
        self._proxy().supervisor.startProcess(f"{APPLICATION}:{name}", False)

    def start_group(self, group: str) -> None:
        """Start what of `group` does not run yet, without waiting for it."""
        self._proxy().supervisor.startProcessGroup(group, False)

    def log_tail(self, name: str, lines: int = 15) -> str:
        path = self.folders.logs / f"{name}.log"
        if not path.is_file():
            return ""
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])

    def _proxy(self) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy("http://supervisor", transport=_SocketTransport(self.socket))


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("supervisor", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _SocketConnection(self._path)


def _program_text(program: Program, logs: Path) -> str:
    return _PROGRAM.format(
        name=program.name,
        command=_escaped(shlex.join(wrapped(program.command, program.user, program.death_signal))),
        process_name=f"{program.name}-%(process_num)d" if program.copies > 1 else program.name,
        copies=program.copies,
        folder=_escaped(str(program.folder)),
        autostart="true" if program.group == SERVICES else "false",
        settled=program.settled_seconds,
        stop_signal=program.stop_signal,
        stop_seconds=program.stop_seconds,
        logs=_escaped(str(logs)),
    )


def _escaped(text: str) -> str:
    """`text` for supervisor's file, where % begins an expansion and ` ;` a comment."""
    if "\n" in text or " ;" in text:
        raise LaunchError(f"This path cannot be given to the process supervisor; use a plainer one: {text}")
    return text.replace("%", "%%")
