"""The parts of `/readyz` that this app knows."""

from django.conf import settings

from environments.models import ManagedServer
from environments.services import slots
from studio.health import Part
from studio.jobs import heartbeat

DEGRADED = "degraded"


def environments_part() -> Part:
    """The servers that we run; those of teams are judged on their environments' pages."""
    servers = list(
        ManagedServer.objects.filter(wanted=True, environment__removed_at=None, environment__assistant__deleted_at=None)
    )
    if heartbeat.live("controller") == 0:
        message = "No controller is running: managed servers are neither started nor restarted."
        return Part(DEGRADED, message, "Start `manage.py controller`.")
    waiting = [server for server in servers if server.state != ManagedServer.State.RUNNING]
    if not waiting:
        return Part(
            "ok", f"{len(servers)} managed server{' runs' if len(servers) == 1 else 's run'}." if servers else ""
        )
    # Nobody signs in here, so it names none: the environments' pages say which, and why.
    message = f"{len(servers) - len(waiting)} of {len(servers)} managed servers run."
    return Part(DEGRADED, message, "The page of each environment has its log.")


def slots_part() -> Part:
    live = heartbeat.live(slots.WORKER)
    waiting, held = slots.counts()
    if live == 0 and settings.RUNNING_WORKERS > 0:
        message = f"No worker of the running service lives; {waiting} wait for a slot."
        return Part(DEGRADED, message, "Start `manage.py worker running`, or set PARLEY_RUNNING_WORKERS=0.")
    return Part("ok", f"{held} of {live} slots in use, {waiting} wait.")
