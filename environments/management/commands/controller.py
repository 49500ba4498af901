"""`manage.py controller`: runs the Rasa servers of managed environments, and installs Rasa."""

from typing import Any

from django.conf import settings

from environments.controller.loop import run_forever
from environments.controller.supervisor import Supervisor
from studio.command import BaseCommand
from studio.jobs.heartbeat import beating
from studio.jobs.stopping import stop_on_signal
from studio.rasa.installer import Installer
from studio.rasa.running import processes_of
from studio.schema import await_schema


class Command(BaseCommand):
    help = "Run the Rasa servers of managed environments; a second one waits for the first to end."

    def handle(self, *args: Any, **options: Any) -> None:
        await_schema()
        stop = stop_on_signal()
        python = settings.RASA_DIR / settings.RASA_VERSION / "bin" / "python"
        supervisor = Supervisor(processes_of(python, settings.SERVERS_DIR / "home"))
        with beating("controller"):
            run_forever(stop, supervisor, Installer())
