"""The worker that takes jobs from a queue; each job runs in a forked child (RQ's "horse")."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import time

import structlog
from django.conf import settings
from django.db import connections
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job

from studio.jobs import heartbeat, queues
from studio.metrics.jobs import note_job

log = structlog.get_logger()

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
    """An RQ worker whose children die with it and never share its database connection.

    A Redis that goes away in the middle of a job ends neither: the job's row is the truth, and what RQ would have
    noted of it is missed by nobody.
    """

    max_connection_wait_time = 5.0  # of RQ's 60: a minute after Redis is back everything is to be under way

    def handle_warm_shutdown_request(self) -> None:
        """What is held without an end is told to end at once, another job when it has not ended after a while: it goes
        back in line then."""
        seconds = 0 if queues.RUNNING in self.queue_names() else settings.WORKER_GRACE
        threading.Thread(target=self._tell_horse, args=[seconds], daemon=True).start()

    def _tell_horse(self, seconds: float) -> None:
        """In so many seconds, and then until this process ends: a job that was just taken has no process yet."""
        time.sleep(seconds)
        while True:
            if pid := self.horse_pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            time.sleep(1)

    def execute_job(self, job: Job, queue: Queue) -> None:
        with heartbeat.working():
            super().execute_job(job, queue)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        connections.close_all()
        gc.freeze()  # the child's collector would touch, and so copy, every page of ours
        super().fork_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue) -> bool:
        asked_by = {"request_id": asked} if (asked := job.meta.get("request_id")) else {}
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(job_id=job.id, function=job.func_name, **asked_by):
            succeeded: bool = super().perform_job(job, queue)
        note_job(queue.name, job.func_name or "", time.monotonic() - began, succeeded=succeeded)
        return succeeded

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        die_with_parent()
        super().main_work_horse(job, queue)

    def monitor_work_horse(self, job: Job, queue: Queue) -> None:
        try:
            super().monitor_work_horse(job, queue)
        except RedisError as error:
            log.warning("Redis is away, the job goes on", error=str(error))
            self.wait_for_horse()
            self._horse_pid = 0
            self._await_redis()

    def _await_redis(self) -> None:
        while not self._stop_requested:
            try:
                self.connection.ping()
            except RedisError:
                time.sleep(1)
            else:
                return
