"""Find and end what a killed launch left behind.

Three marks tell our processes from everybody else's, without pid files that could name a stranger: the environment
variable that the launcher gives to all it starts, and, for servers that overwrite their environment to change their
title, the data folder they work in.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from studio.embedded.folders import Folders

MARK = "PARLEY_LAUNCHED_FOR"
_SERVERS = ("postgres", "redis-server", "valkey-server")


def find(folders: Folders) -> list[psutil.Process]:
    """Every living process of this installation, except the present one and those it was started by."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    servers = {folders.redis.resolve(), (folders.postgres / "data").resolve()}
    candidates = (process for process in psutil.process_iter() if process.pid not in own)
    return [process for process in candidates if _is_ours(process, str(folders.data), servers)]


def _is_ours(process: psutil.Process, mark: str, servers: set[Path]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.name() in _SERVERS and Path(process.cwd()) in servers:
            return True
        return process.environ().get(MARK) == mark
    except psutil.Error:  # gone meanwhile, or somebody else's
        return False
    except OSError:  # psutil lets some through while a process ends
        return False


def end(folders: Folders, *, grace: float = 5.0) -> int:
    """End them all and return how many there were. Supervisors go first, or they would start the others anew."""
    found = find(folders)
    if not found:
        return 0
    supervisors = [process for process in found if _is_supervisor(process)]
    _signal(supervisors, signal.SIGKILL)
    psutil.wait_procs(supervisors, timeout=grace)
    for process in find(folders):
        # SIGINT is PostgreSQL's fast shutdown; at SIGTERM it would wait for its clients.
        _signal([process], signal.SIGINT if _name(process) == "postgres" else signal.SIGTERM)
    psutil.wait_procs(find(folders), timeout=grace)
    _kill_the_rest(folders)
    return len(found)


def _kill_the_rest(folders: Folders) -> None:
    """What does not listen, and what was started while we were at it."""
    for _ in range(3):
        rest = find(folders)
        if not rest:
            return
        _signal(rest, signal.SIGKILL)
        psutil.wait_procs(rest, timeout=5)


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return "supervisor.supervisord" in process.cmdline()
    except psutil.Error:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:  # gone: what was wanted
            continue
