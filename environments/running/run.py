"""What wakes a worker of the running service: it holds the first slot in line until that ends."""

import shutil
from pathlib import Path

import structlog
from django.conf import settings

from environments.models import Slot
from environments.running.hold import Holder, folder_of
from environments.services import slots
from studio.jobs import heartbeat
from studio.jobs.heartbeat import process_name
from studio.jobs.stopping import stop_on_signal
from studio.rasa.running import processes_of

log = structlog.get_logger()


def run_slot(_woken_by: int | None = None, *, worker: str = "") -> None:
    """The order is that of the rows, with any number of workers and after any loss in Redis."""
    sweep()
    slot = slots.claim(worker=worker or process_name())
    if slot is None:
        return
    structlog.contextvars.bind_contextvars(slot=slot.pk)
    heartbeat.say_busy(f"{slot.environment.assistant.slug}: {slot.model.name}", worker=slot.worker)
    processes = processes_of(Path("python"), Path(settings.SERVERS_DIR) / "home")
    try:
        Holder(slot, processes, is_over=stop_on_signal().is_set).hold()
    except slots.Superseded:
        log.warning("slot superseded", slot=slot.pk, attempt=slot.attempt)
    finally:
        shutil.rmtree(folder_of(slot), ignore_errors=True)


def sweep() -> None:
    """End and remove what killed workers left on this machine, or in the cluster."""
    place = Path(settings.SERVERS_DIR) / "slots"
    processes = processes_of(Path("python"), Path(settings.SERVERS_DIR) / "home")
    here = {path.name for path in place.iterdir() if path.is_dir()} if place.is_dir() else set()
    found = [place / name for name in sorted(here | (processes.left_below(place) or set()))]
    if not found:
        return
    held = Slot.objects.filter(state__in=Slot.HELD).values_list("pk", "attempt")
    active = {f"{pk}-{attempt}" for pk, attempt in held}
    for folder in found:
        if folder.name not in active:
            if strays := processes.end_all_of(folder):
                log.warning("ended what a killed slot left running", folder=folder.name, processes=strays)
            shutil.rmtree(folder, ignore_errors=True)
