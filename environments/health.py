"""What `/readyz` says of environments and of the Rasa runtime."""

from django.conf import settings

from environments.models import ManagedServer
from environments.services import slots
from models_app.services.rasa_uses import chosen_by
from studio import health
from studio.health import Part
from studio.jobs import heartbeat
from studio.rasa.models import RasaRuntime
from studio.rasa.services import current_runtime

DEGRADED = "degraded"


def register() -> None:
    health.register("rasa", rasa_part)
    health.register("environments", environments_part)
    health.register("running slots", slots_part)


def rasa_part() -> Part:
    runtime = current_runtime()
    if runtime.is_usable:
        return _chosen() or Part("ok", str(runtime))
    why = runtime.message.partition("\n")[0] or runtime.step
    message = f"{runtime} is {runtime.get_state_display()}. {why}".strip()
    mend = f"The controller installs it. `manage.py install_rasa {runtime.version}` says what is missing."
    return Part(DEGRADED, message, mend)


def _chosen() -> Part | None:
    """Degraded when assistants chose what is not ready. Nobody signs in here, so it names none of them."""
    chosen = set(chosen_by().values())
    if not chosen:
        return None
    ready = {row.version for row in RasaRuntime.objects.filter(version__in=chosen) if row.is_usable}
    missing = sorted(chosen - ready)
    message = f"Rasa {', '.join(missing)} is not ready, and assistants chose it."
    mend = "`manage.py rasa_versions` says who uses which; `manage.py install_rasa <version>` installs one."
    return Part(DEGRADED, message, mend) if missing else None


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
