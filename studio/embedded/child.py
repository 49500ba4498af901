"""Run a program that ends when its parent does: `python -I child.py SIGNAL USER PROGRAM ARGUMENT…`.

`kill -9` of a supervisor gives it no chance to end its children; on Linux the kernel does it in its place.
A file of its own that imports the standard library alone, because it runs before every program that we start.
USER is `-` for the present one. It is changed here and not by the supervisor: the kernel forgets the parent-death
signal when a process changes its user, and the interpreter itself may be out of that user's reach.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    """Give up root for `user`, in the one order that leaves nothing behind: groups, group, user."""
    entry = pwd.getpwnam(user)
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)


def end_with_parent(number: signal.Signals) -> None:
    """Ask the kernel for signal `number` when the parent dies; no other system but Linux offers it."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number.value, 0, 0, 0)
    if os.getppid() != parent:  # it died in between: the signal will never come
        sys.exit(1)


def main() -> None:
    signal_name, user, *command = sys.argv[1:]
    if user != "-":
        become(user)
    end_with_parent(signal.Signals[signal_name])
    os.execvp(command[0], command)  # noqa: S606 - the program of our own that stands on this command line


if __name__ == "__main__":
    main()
