"""The parts of `/readyz` about processes without which periodic and long work waits."""

from studio.health import Part
from studio.jobs import heartbeat


def schedule() -> Part:
    if heartbeat.live("schedule"):
        return Part("ok")
    message = "No schedule process is running: nothing is reaped, swept or renewed."
    return Part("degraded", message, "Start `manage.py schedule`.")


def background_worker() -> Part:
    live = heartbeat.live("background-worker")
    if live:
        return Part("ok", f"{live} running.")
    message = "No background worker is running: exports, deletions and repairs wait."
    return Part("degraded", message, "Start `manage.py worker background`.")
