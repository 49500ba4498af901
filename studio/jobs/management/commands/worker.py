"""`manage.py worker training`: take jobs from a queue, one at a time, until told to stop."""

from typing import Any

from django.core.management.base import CommandParser
from rq.serializers import JSONSerializer

from studio.command import BaseCommand
from studio.jobs import queues
from studio.jobs.heartbeat import beating, process_name
from studio.jobs.worker import HorseWorker
from studio.redis import blocking_client
from studio.schema import await_schema


class Command(BaseCommand):
    help = "Take jobs from a queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=[queues.TRAINING, queues.RUNNING, queues.BACKGROUND], nargs="+")

    def handle(self, *args: Any, **options: Any) -> None:
        await_schema()
        names: list[str] = options["queue"]
        worker = HorseWorker(
            [queues.queue(name) for name in names],
            name=f"{'-'.join(names)}@{process_name()}",
            connection=blocking_client(),
            serializer=JSONSerializer,
        )
        with beating(f"{names[0]}-worker"):
            worker.work(logging_level="WARNING")
