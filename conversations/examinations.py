"""What `manage.py doctor` asks Kafka: the check of a source's page, for every source that is in use."""

from collections.abc import Iterator

from kafka.record import util

from conversations.ingest.kafka_check import Checked, check
from conversations.ingest.kafka_settings import settings_of
from conversations.models import IntakeSource
from studio.doctor import Finding, Status


def kafka() -> Iterator[Finding]:
    if util.crc32c_c is None:
        message = "crc32c is not installed: Kafka is read five times slower."
        yield Finding("kafka", Status.WARN, message, "Install kafka-python[crc32c], as requirements.lock has it.")
    kind = IntakeSource.Kind.KAFKA
    sources = IntakeSource.objects.filter(kind=kind, removed_at=None, is_on=True, assistant__deleted_at=None)
    for source in sources.order_by("pk"):
        yield from _of_source(source, check(settings_of(source)))
    if not sources:
        yield Finding("kafka", Status.OK, "No source of events is in Kafka.")


def _of_source(source: IntakeSource, found: Checked) -> Iterator[Finding]:
    name = f"kafka: {source.name}"
    if found.problem:
        status = Status.WARN if found.is_new else Status.FAIL
        yield Finding(name, status, found.problem, "The source's page has its settings.")
        return
    for warning in found.warnings:
        yield Finding(name, Status.WARN, warning, "The source's page has its settings.")
    if not found.warnings:
        topics = ", ".join(topic.name for topic in found.topics)
        yield Finding(name, Status.OK, f"Its servers answer, and {found.records} records are there: {topics}.")
