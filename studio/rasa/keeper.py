"""Stands between us and one program: starts it, counts all that it starts, and ends all of it.

A program may start others that leave its group (`setsid`) or their parent (a double fork). On Linux they fall to this
process as their nearest "subreaper", so whatever they do it finds them below itself. It ends them when the program has
ended, when a limit is passed, at SIGUSR1, and when the process that asked for the program dies; it passes SIGTERM on to
each. It then ends as the program ended. If it is killed itself the kernel kills the program with it, and whoever asks
for that program next ends what is left by its mark (`local.py`).

It is a process of its own because Popen's `preexec_fn` would run Python code between fork and exec, which can deadlock
in a process that has other threads (gunicorn's, a connection pool's), and because a limit must hold also while the one
who follows the program waits for a database. It costs 20 ms at the start and 10 MB; run isolated by our own interpreter
without site-packages, it imports the standard library's least and `proc`.

macOS has neither subreapers nor a signal at the parent's death: it looks for a new parent instead, and finds by `ps`
what did not leave both its parent and its group.
"""

from __future__ import annotations  # it also runs in the images of clusters, with their Python

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from studio.rasa import proc

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IOPRIO_WHO_PROCESS = 1
IOPRIO_IDLE = 3 << 13
SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
LOWEST_NICE = 19
FIRST_FOR_OOM = 800  # of -1000…1000: the kernel takes it before a serving process when memory runs out
PARENT_GONE = 125
END_NOW = signal.SIGUSR1
SIGNALS = (signal.SIGTERM, END_NOW, signal.SIGCHLD)

LOOK_SECONDS = 0.2
UNLIMITED_LOOK_SECONDS = 2.0
SHARE = 50  # a look may take a fiftieth of the time: 2 % of a core
LONGEST_PAUSE = 1.0  # … but no limit waits longer than this
AGAIN_SECONDS = 0.02  # a process between vfork and exec shows its parent's memory as its own, for a moment
THREADS_EACH, FEWEST_THREADS = 64, 2048  # TensorFlow starts some for each core
END_SECONDS = 30.0  # what still lives then waits for a disk in the kernel, and ends when that answers
REPORT_BYTES = 512  # written in place: a full disk has no room for another


class Inbox:
    """Signals as things to wait for."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> set[int]:
        """The numbers of those that came, within `seconds`."""
        if not select.select([self._reader], [], [], max(0.0, seconds))[0]:
            return set()
        return set(os.read(self._reader, 4096))


class Keeper:
    def __init__(self, options: dict[str, Any], inbox: Inbox) -> None:
        self.parent: int = options["parent"]
        self.limits: dict[str, int] = options["limits"]
        self.folder = Path(options["folder"])
        self.facts: dict[str, Any] = {"mark": options["mark"], "memory": None, "peak": 0, "over": None, "code": None}
        self.facts["room"] = shutil.disk_usage(self.folder).free
        self.report = os.open(options["report"], os.O_WRONLY)
        self.inbox = inbox
        self.program = 0
        self.status: int | None = None  # of the program, as os.wait gives it
        self._memory_before = 0
        self._pause = LOOK_SECONDS if self.limits else UNLIMITED_LOOK_SECONDS

    def keep(self, program: int) -> int:
        """Returns the program's exit code, negative for a signal, when nothing of it is left."""
        self.program = program
        due = 0.0
        while self.status is None:
            if time.monotonic() >= due:
                due = time.monotonic() + self.look()
            came = self.inbox.wait(due - time.monotonic())
            if signal.SIGTERM in came:
                self._pass_on(signal.SIGTERM)
            if END_NOW in came or os.getppid() != self.parent or self.facts["over"]:
                self.end_all()
            self._reap()
        self.end_all()
        return self._close(self.status)

    def look(self) -> float:
        """Measure, and note the first limit that is passed. Returns the seconds till the next look."""
        began = time.monotonic()
        own = self._own()
        self._note("processes", len(own))
        if not self.facts["over"]:  # of thousands nothing more is asked: they double meanwhile
            self._note_memory(own)
            self._note_disk(own)
            self.facts["room"] = min(self.facts["room"], shutil.disk_usage(self.folder).free)
        self._write_report()
        if self.facts["over"]:
            return 0.0
        return max(self._pause, min(LONGEST_PAUSE, SHARE * (time.monotonic() - began)))

    def end_all(self) -> None:
        """Kill until nothing is left: what is killed may have started others since it was found."""
        until = time.monotonic() + END_SECONDS
        while (own := self._own()) and time.monotonic() < until:
            for group in {one.group for one in own}:
                with suppress(OSError):  # a whole group at once: none of it can start another meanwhile
                    os.killpg(group, signal.SIGKILL)
            for one in own:
                with suppress(OSError):
                    os.kill(one.pid, signal.SIGKILL)
            self.inbox.wait(AGAIN_SECONDS)
            self._reap()

    def _own(self) -> list[proc.Process]:
        return proc.descendants(os.getpid(), 0 if sys.platform == "linux" else self.program)

    def _note(self, limit: str, used: int) -> None:
        allowed = self.limits.get(limit)
        if allowed is not None and used > allowed and not self.facts["over"]:
            self.facts["over"] = [limit, used, allowed]

    def _note_memory(self, own: list[proc.Process]) -> None:
        memory = proc.memory_of(own)
        self.facts["memory"] = memory
        self.facts["peak"] = max(self.facts["peak"], min(memory, self._memory_before))
        self._memory_before = memory
        if memory > self.limits.get("memory", memory):
            time.sleep(AGAIN_SECONDS)
            self._note("memory", min(memory, proc.memory_of(self._own())))

    def _note_disk(self, own: list[proc.Process]) -> None:
        if "disk" in self.limits:
            self._note("disk", proc.disk_of(self.folder, own))

    def _pass_on(self, number: signal.Signals) -> None:
        for one in self._own():
            with suppress(OSError):
                os.kill(one.pid, number)

    def _reap(self) -> None:
        """The program, and the orphans that fell to us."""
        with suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.program:
                    self.status = status
                    unit = 1024 if sys.platform == "linux" else 1
                    self.facts["peak"] = max(self.facts["peak"], usage.ru_maxrss * unit)

    def _close(self, status: int) -> int:
        self._note_disk([])
        code = os.waitstatus_to_exitcode(status)
        self.facts.update(code=code, memory=None)
        self._write_report()
        return code

    def _write_report(self) -> None:
        with suppress(OSError):
            os.pwrite(self.report, as_report(self.facts), 0)


def as_report(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts).encode().ljust(REPORT_BYTES)


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send us `number` when our parent ends; end at once if it is gone already."""
    prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:  # it ended before prctl: no signal will ever come
        os._exit(PARENT_GONE)


def come_first() -> None:
    """Before all that it keeps, however many they are; only root may ask for that, and what it does is little."""
    with suppress(OSError, AttributeError):  # macOS has no schedulers to choose from
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def cap_threads(processes: int) -> None:
    """A wall far behind the limit, at which the kernel refuses to fork: processes that double outrun any look.

    It counts all threads of the user, those that run already too, and does not hold for root.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    wall = proc.threads_of_user(os.getuid()) + max(FEWEST_THREADS, processes * THREADS_EACH)
    if hard == resource.RLIM_INFINITY or wall < hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (wall, wall))


def give_way() -> None:
    """Lowest CPU priority and idle class for disks, so that training does not slow a serving Rasa on this machine."""
    os.nice(LOWEST_NICE)
    number = SYS_IOPRIO_SET.get(os.uname().machine)
    if sys.platform == "linux" and number is not None:
        ctypes.CDLL(None).syscall(number, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE)
    oom = Path("/proc/self/oom_score_adj")
    if oom.exists():
        oom.write_text(str(FIRST_FOR_OOM))


def start(command: list[str], options: dict[str, Any]) -> int:
    """Fork and become the program. Signals wait meanwhile: one that came in between would be swallowed."""
    keeper = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    program = os.fork()
    if program == 0:
        try:
            become(command, options, keeper)
        except OSError as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201  its log is where it can be read
        finally:
            os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return program


def become(command: list[str], options: dict[str, Any], keeper: int) -> None:
    os.setsid()  # a group of its own, to be ended at one stroke
    die_with(keeper, signal.SIGKILL)
    if options["low_priority"]:
        give_way()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold people's texts, and gigabytes
    if "disk" in options["limits"]:  # no single file gets larger between two looks
        resource.setrlimit(resource.RLIMIT_FSIZE, (options["limits"]["disk"],) * 2)
    if "processes" in options["limits"] and sys.platform == "linux":
        cap_threads(options["limits"]["processes"])
    signal.set_wakeup_fd(-1)
    for number in (*SIGNALS, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two, and exec would keep that
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.execv(command[0], command)  # noqa: S606  the program is named by our own code


def end_as(code: int) -> NoReturn:
    """End as the program did, so that the one who waits for us sees how."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def main() -> NoReturn:
    options, command = json.loads(sys.argv[1]), sys.argv[2:]
    inbox = Inbox()
    die_with(options["parent"], END_NOW)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    come_first()
    keeper = Keeper(options, inbox)
    end_as(keeper.keep(start(command, options)))
