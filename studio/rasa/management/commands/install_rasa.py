"""`manage.py install_rasa 3.6.20`: what "Add a version" does, with its progress in the terminal."""

import threading
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from studio.command import BaseCommand
from studio.errors import DomainError
from studio.jobs.heartbeat import live
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.services import add_version, own_interpreters, request_install

LOOK_SECONDS = 0.5
State = RasaRuntime.State


class Command(BaseCommand):
    help = "Install a version of Rasa beside those that are here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="such as 3.6.20, or the name of an own interpreter, to ask it again")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["version"].strip()
        row = RasaRuntime.objects.filter(version=name).first()
        if row is None or row.own or row.state in {State.MISSING, State.FAILED}:
            row = _ask(name)
        if row.state != State.READY and live("controller") == 0:
            threading.Thread(target=_work, args=[row], daemon=True).start()
        self._follow(name)

    def _follow(self, name: str) -> None:
        """Until it is ready or has failed, whoever installs it."""
        said = ""
        while True:
            row = RasaRuntime.objects.get(version=name)
            if row.state == State.READY:
                self.stdout.write(f"{row} is ready: Python {row.python}, loads models of "
                                  f"{row.minimum_compatible_version} and later.")  # fmt: skip
                return
            if row.state == State.FAILED:
                raise CommandError(f"{row.message}\n{row.mend}")
            percent = f"{100 * row.done // row.total:3} %  " if row.total else ""
            if row.step and (now := f"{percent}{row.step}") != said:
                self.stdout.write(now)
                said = now
            time.sleep(LOOK_SECONDS)


def _ask(name: str) -> RasaRuntime:
    try:
        if name in own_interpreters():
            return request_install(actor=None, name=name)
        return add_version(actor=None, version=name)
    except DomainError as error:
        raise CommandError(error.message) from error


def _work(row: RasaRuntime) -> None:
    try:
        Installer().do_now(row)
    finally:
        connection.close()
