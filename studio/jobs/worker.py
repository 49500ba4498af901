"""The worker that takes jobs from a queue; each job runs in a forked child (RQ's "horse")."""

import ctypes
import os
import signal
import sys

from django.db import connections
from rq import Queue, Worker
from rq.job import Job

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that forked it ends; elsewhere the reaper finds what is left.

    Killing an RQ worker otherwise leaves its horse, and the Rasa below it, running.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request took effect
        os._exit(1)


class HorseWorker(Worker):
    """An RQ worker whose children die with it and never share its database connection."""

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        connections.close_all()
        super().fork_work_horse(job, queue)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        die_with_parent()
        super().main_work_horse(job, queue)
