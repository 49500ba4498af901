"""The controller's loop: one controller at a time, and a database that goes away ends no server."""

import threading

import structlog
from django.db import DatabaseError, InterfaceError, connection

from environments.controller.supervisor import Supervisor
from studio.jobs.schedule import hold_lock
from studio.rasa.installer import Installer

log = structlog.get_logger()

LOCK_ID = 7_270_553_910  # any number of our own; who holds it is the one controller
TURN_SECONDS = 0.5
WAIT_SECONDS = 2.0


def run_forever(stop: threading.Event, supervisor: Supervisor, installer: Installer) -> None:
    """Until `stop` is set: wait for the lock, then bring servers and runtime to where people want them."""
    held = False
    while not stop.is_set():
        try:
            held = held or _begin(supervisor, installer)
            if held:
                installer.tick()
                supervisor.step()
        except (DatabaseError, InterfaceError) as error:
            log.warning("the controller lost the database; its servers go on", error=str(error).strip())
            held = False
            connection.close()
        stop.wait(TURN_SECONDS if held else WAIT_SECONDS)
    if held:
        _end(supervisor)


def _begin(supervisor: Supervisor, installer: Installer) -> bool:
    """Take the lock unless another controller has it; it ends with the connection."""
    if not hold_lock(LOCK_ID):
        return False
    installer.look()
    supervisor.take_over()
    log.info("controller began")
    return True


def _end(supervisor: Supervisor) -> None:
    try:
        supervisor.stop_all()
    except (DatabaseError, InterfaceError):
        log.warning("no database: the servers are ended by the kernel with this process")
