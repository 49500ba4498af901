"""What attempts keep on the disk of their worker: `<jobs>/<job>-<attempt>`, and `<jobs>/kept/<job>/<archive>`.

An archive is set aside when it is trained and stays till the job has ended, so that an attempt whose worker was killed
while it stored the model leaves it to the next one.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import structlog
from django.conf import settings

from models_app.models import TrainingJob
from models_app.training.keeping_log import rescue
from studio.rasa.process import Processes
from studio.rasa.running import processes_of

log = structlog.get_logger()


def folder_of(job: TrainingJob) -> Path:
    return Path(settings.JOBS_DIR / f"{job.pk}-{job.attempt}")


def set_aside(job: TrainingJob, archive: Path) -> Path:
    """Move what was trained out of the attempt's folder; the archive where it is now."""
    kept = _kept(job.pk)
    kept.mkdir(parents=True, exist_ok=True)
    return archive.rename(kept / archive.name)


def set_aside_by_earlier(job: TrainingJob) -> Path | None:
    return next(_kept(job.pk).glob("*.tar.gz"), None) if job.attempt > 1 else None


def clear(job: TrainingJob) -> None:
    """After the attempt: its folder, and what was set aside when no other attempt follows."""
    shutil.rmtree(folder_of(job), ignore_errors=True)
    if TrainingJob.objects.filter(pk=job.pk, state__in=TrainingJob.ENDED).exists():
        shutil.rmtree(_kept(job.pk), ignore_errors=True)


def sweep() -> None:
    """End and remove what killed attempts left on this machine, or in the cluster."""
    processes = processes_of(Path("python"), settings.JOBS_DIR / "home")
    found = _left(processes)
    aside = list(_folders(settings.JOBS_DIR / "kept"))
    if not found and not aside:
        return
    # Asked after looking: an attempt is in its row before it makes its folder.
    jobs = TrainingJob.objects.exclude(state__in=TrainingJob.ENDED).values_list("pk", "attempt", "state")
    active = {f"{pk}-{attempt}" for pk, attempt, state in jobs if state in TrainingJob.ACTIVE}
    unended = {str(pk) for pk, _attempt, _state in jobs}
    for folder in found:
        if folder.name not in active:
            if strays := processes.end_all_of(folder):
                log.warning("ended what a killed training left running", folder=folder.name, processes=strays)
            rescue(folder)
            shutil.rmtree(folder, ignore_errors=True)
    for folder in aside:
        if folder.name not in unended:
            shutil.rmtree(folder, ignore_errors=True)


def _left(processes: Processes) -> list[Path]:
    """Folders of attempts, also of such whose folder was another worker's and whose process may still run."""
    here = {path.name for path in _folders(settings.JOBS_DIR) if path.name not in ("home", "kept")}
    return [settings.JOBS_DIR / name for name in sorted(here | (processes.left_below(settings.JOBS_DIR) or set()))]


def _kept(job: int) -> Path:
    return Path(settings.JOBS_DIR / "kept" / str(job))


def _folders(parent: Path) -> Iterable[Path]:
    return [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
