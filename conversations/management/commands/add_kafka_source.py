"""`manage.py add_kafka_source kafka:9092`: a plain source of events, for installations that are set up by programs."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.ingest.kafka_settings import DEFAULT_TOPIC, KafkaSettings
from conversations.models import IntakeSource
from conversations.services.intake import Wishes, add_source
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG
from studio.command import BaseCommand
from studio.errors import DomainError


class Command(BaseCommand):
    help = "Take events from a Kafka cluster, unless a source of that name is or was there: people's changes stand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("servers", nargs="+", help="host:port; some of the cluster are enough")
        parser.add_argument("--assistant", default=DEFAULT_SLUG)
        parser.add_argument("--name", default="Kafka")
        parser.add_argument("--topic", default=DEFAULT_TOPIC)

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        assistant = Assistant.objects.current().filter(slug=options["assistant"]).first()
        if assistant is None:
            raise CommandError(f"There is no assistant {options['assistant']}.")
        if IntakeSource.objects.filter(assistant=assistant, name=name).exists():
            self.stdout.write(f"{name} is known already, and stays as it is.")
            return
        settings = KafkaSettings(
            servers=tuple(options["servers"]), topics=(options["topic"],), group=f"parley-{assistant.slug}"
        )
        try:
            add_source(actor=None, assistant=assistant, wishes=Wishes(name=name, settings=settings))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{name} was added.")
