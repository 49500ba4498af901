"""Starts one program so that it dies with its parent: `python -I -S child.py <options as JSON> <program> <arguments…>`.

Run as a script by our own interpreter, it sets up its own process and then becomes the program by exec. Popen's
`preexec_fn` would run Python code between fork and exec, which can deadlock in a process that has other threads
(gunicorn's, a connection pool's); this costs 20 ms instead and is safe from any thread.

Imports nothing of ours: it runs isolated, without site-packages.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
IOPRIO_WHO_PROCESS = 1
IOPRIO_IDLE = 3 << 13
SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
LOWEST_NICE = 19
FIRST_FOR_OOM = 800  # of -1000…1000: the kernel takes it before a serving process when memory runs out
PARENT_GONE = 125


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end at once if the parent is gone already.

    Linux alone can do this; elsewhere the next supervisor ends what it finds by its handle.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before prctl: no signal will ever come
        sys.exit(PARENT_GONE)


def give_way() -> None:
    """Lowest CPU priority and idle class for disks, so that training does not slow a serving Rasa on this machine."""
    os.nice(LOWEST_NICE)
    number = SYS_IOPRIO_SET.get(os.uname().machine)
    if sys.platform == "linux" and number is not None:
        ctypes.CDLL(None).syscall(number, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE)
    oom = Path("/proc/self/oom_score_adj")
    if oom.exists():
        oom.write_text(str(FIRST_FOR_OOM))


def main(arguments: list[str]) -> None:
    options = json.loads(arguments[0])
    die_with_parent(options["parent"])
    if options["low_priority"]:
        give_way()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold people's texts, and gigabytes
    os.execv(arguments[1], arguments[1:])  # noqa: S606  the program is named by our own code


if __name__ == "__main__":
    main(sys.argv[1:])
